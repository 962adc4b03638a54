// SPDX-License-Identifier: MIT
#include "planner/resolution.hpp"

#include "support/catch.hpp"
#include "support/made_up.hpp"

namespace vggplan::planner {
namespace {

using support::World;

TEST_CASE("a scaled image keeps its aspect to the nearest pixel, whichever side is longer") {
  CHECK(scaled({3, 4024, 3036}, 4024) == graph::Shape{3, 4024, 3036});
  CHECK(scaled({3, 4024, 3036}, 2012) == graph::Shape{3, 2012, 1518});
  CHECK(scaled({3, 3036, 4024}, 2012) == graph::Shape{3, 1518, 2012});
  CHECK(scaled({3, 1000, 1}, 100) == graph::Shape{3, 100, 1});
}

/// The planner's question about memory, and how often it was asked.
struct Counted {
  PlanRequest request{};
  std::int64_t simulations{0};
  estimate::Engine engine{};
  explicit Counted(const World& world) : engine(support::engine_of(world)) {
    engine.memory = [this, ask = engine.memory](const job::Job& job, const estimate::Target& target) {
      ++simulations;
      return ask(job, target);
    };
  }
  [[nodiscard]] Fit fit() const { return {request, engine}; }
};

TEST_CASE("the largest resolution fits, and none larger does where sizes fit up to a limit") {
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    World world;
    world.seed = seed;
    world.flicker = 0.002 * static_cast<double>(seed % 5);
    Counted counted(world);
    const auto& engine = counted.engine;
    const Candidate candidate = support::made_up_gpu("a", 1300 + 120 * seed, 1);
    job::Job job = support::small_job();
    job.image = seed % 2 == 0 ? graph::Shape{3, 140, 100} : graph::Shape{3, 90, 160};
    job.batch = 1 + seed % 3;
    std::int64_t best = 0;
    for (std::int64_t side = 1; side <= 2000; ++side) {
      job::Job scaled_job = job;
      scaled_job.image = scaled(job.image, side);
      const bool valid = !job::validate(scaled_job);
      if (valid && engine.memory(scaled_job, candidate.target)->verdict == estimate::Verdict::fits) {
        best = side;
      }
    }
    counted.simulations = 0;
    const MaxResolution found = largest_resolution(job, candidate.target, counted.fit());
    INFO("seed " << seed);
    CHECK(counted.simulations <= 96);  // 32 in each of three ever finer rounds
    job.image = {3, found.height, found.width};
    CHECK(engine.memory(job, candidate.target)->verdict == estimate::Verdict::fits);
    const std::int64_t side = std::max(found.height, found.width);
    CHECK(side <= best);
    CHECK(side >= best - best / 20);
    CHECK((world.flicker > 0 || side == best));
    CHECK_FALSE(found.limited_by_search);
  }
}

TEST_CASE("networks that join maps of several scales get sides that they take, down to the smallest") {
  const World world{.image = 1};
  Counted counted(world);
  job::Job job = support::small_job();
  job.model = {.name = "unet-vgg16", .hidden = {}, .architecture = "unet-vgg16"};
  job.image = {3, 100, 160};
  for (std::int64_t usable = 1200; usable < 2400; usable += 77) {
    const estimate::Target target = support::made_up_gpu("a", usable, 1).target;
    job::Job largest = job;
    std::int64_t best = 0;
    for (std::int64_t side = 16; side <= 8000; side += 16) {  // the shorter as near below as may be
      largest.image = {3, std::max<std::int64_t>(16, (10 * side + 8) / 16 / 16 * 16), side};
      best = world.verdict(largest, static_cast<double>(usable)) == estimate::Verdict::fits ? side : best;
    }
    const MaxResolution found = largest_resolution(job, target, counted.fit());
    CHECK(found.width == best);
    largest.image = {3, found.height, found.width};
    CHECK(!job::validate(largest));
    CHECK(counted.fit().fits(largest, target));
  }
}

/// By going from pixel to pixel: every output of the last pooling must lie in the clean part of some tile.
bool covers(std::int64_t length, const Tiling& cut, std::int64_t tiles, std::int64_t stride) {
  const std::int64_t advance = cut.side - cut.overlap;
  for (std::int64_t output = 0; output < length / stride; ++output) {
    const std::int64_t pixel = output * stride;
    bool clean = false;
    for (std::int64_t tile = 0; tile < tiles; ++tile) {
      const std::int64_t begin = tile * advance;
      const std::int64_t end = std::min(length, begin + cut.side);
      const std::int64_t left = begin == 0 ? 0 : begin + cut.overlap / 2;  // the image's own border is no cut
      const std::int64_t right = end == length ? length : end - cut.overlap / 2;
      clean = clean || (pixel >= left && pixel + stride <= right);
    }
    if (!clean) {
      return false;
    }
  }
  return true;
}

TEST_CASE("tiles with their overlap leave no output without the pixels that it sees, and no tile is idle") {
  const auto field = estimate::receptive_field(support::vgg16(224, 224));
  for (std::int64_t length = 256; length <= 4096; length += 32) {
    for (std::int64_t side = 224; side <= length; side += 32) {
      const Tiling cut = tiling({3, length, side}, field, side);
      INFO("length " << length << " side " << side << " tiles " << cut.tiles);
      REQUIRE(covers(length, cut, cut.tiles, field.stride));
      REQUIRE((cut.tiles == 1 || !covers(length, cut, cut.tiles - 1, field.stride)));
    }
  }
}

TEST_CASE("a tile no larger than the overlap covers nothing") {
  const auto field = estimate::receptive_field(support::vgg16(224, 224));
  CHECK(tiling({3, 1000, 1000}, field, 192).tiles == 0);
  CHECK(tiling({3, 1000, 1000}, field, 224).tiles > 0);
}

TEST_CASE("the overlap is what a window reaches beyond its stride, in whole strides on either side") {
  // (size - stride) / 2 pixels, rounded up: 2 and 3 pixels are one and two strides of two.
  CHECK(tiling({3, 100, 100}, {.size = 6, .stride = 2}, 50).overlap == 4);
  CHECK(tiling({3, 100, 100}, {.size = 7, .stride = 2}, 50).overlap == 8);
  // One pixel more than the overlap goes on by one pixel; a tile as large as the image has no neighbour.
  CHECK(tiling({3, 10, 4}, {.size = 6, .stride = 2}, 5).tiles == 6);
  CHECK(tiling({3, 4, 4}, {.size = 6, .stride = 2}, 4).tiles == 1);
  job::Job job = support::small_job();
  job.sizes = {{3, 100, 100}, {3, 50, 200}};
  CHECK(on_tile(job, 64).sizes.empty());
}

TEST_CASE("where memory does not grow with the image the largest side ends the search, and that is said") {
  Counted counted(World{.image = 0});
  const auto target = support::made_up_gpu("a", 5000, 1).target;
  const MaxResolution found = largest_resolution(support::small_job(), target, counted.fit(), 256);
  CHECK(found.height == 256);
  CHECK_FALSE(found.limited_by_search);  // by what was asked
  const MaxResolution all = largest_resolution(support::small_job(), target, counted.fit());
  CHECK(all.height == kLargestSide);
  CHECK(all.limited_by_search);
}

}  // namespace
}  // namespace vggplan::planner
