// SPDX-License-Identifier: MIT
// The planner's search against one that leaves nothing out, over random jobs and made-up GPUs.
#include "planner/search.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "support/catch.hpp"
#include "support/every_candidate.hpp"

namespace vggplan::planner {
namespace {

using support::as_good;
using support::Everything;
using support::label;
using support::MadeUpQuestion;
using support::Tried;

/// The figures that follow from the models' answers, each worked out from them.
void is_what_the_models_say(const Evaluated& listed, const Tried& tried, const MadeUpQuestion& asked) {
  const estimate::Target& target = asked.request.candidates[tried.gpu].target;
  const auto time = asked.engine.time(tried.job, target).value();
  const auto memory = asked.engine.memory(tried.job, target).value();
  CHECK(listed.gpu == target.gpu.name);
  CHECK(listed.run_peak == memory.run_peak);
  CHECK(listed.reserved_peak == memory.reserved_peak);
  CHECK(listed.step == time.step);
  CHECK(listed.images_per_second == time.images_per_second);
  CHECK(listed.useful_images_per_second == Approx(1 / tried.seconds_per_image).epsilon(1e-9));
  const auto gpus = static_cast<double>(tried.job.parallel.gpus);
  CHECK(listed.gpu_hours_per_million_images == Approx(1e6 * tried.seconds_per_image * gpus / 3600).epsilon(1e-9));
  REQUIRE(listed.usd_per_million_images.has_value() == tried.priced);
  CHECK((!tried.priced || listed.usd_per_million_images->count() == Approx(1e6 * tried.cost).epsilon(1e-9)));
  CHECK(listed.usd_per_hour == time.usd_per_hour);
  const auto& data = asked.request.job.data;
  REQUIRE(listed.total.has_value() == data.images.has_value());
  REQUIRE(listed.cost.has_value() == (data.images && tried.priced));
  if (data.images) {
    const auto images = static_cast<double>(*data.images * (tried.job.mode == job::Mode::train ? data.epochs : 1));
    CHECK(listed.total->count() == Approx(images * tried.seconds_per_image));
    CHECK((!listed.cost || listed.cost->count() == Approx(images * tried.cost)));
  }
}

/// What was tried with these settings; it must be there and count.
const Tried& found_in(const std::vector<Tried>& those, const Evaluated& listed, const PlanRequest& request) {
  const auto found = std::ranges::find_if(those, [&](const Tried& e) {
    return e.job == listed.job && request.candidates[e.gpu].target.gpu.name == listed.gpu;
  });
  INFO(label(listed.job, listed.gpu));
  REQUIRE(found != those.end());
  return *found;
}

/// No point beats another, and whatever counts has a point beside it that is as good within the band.
void check_front(const Plan& plan, const std::vector<Tried>& those, const MadeUpQuestion& asked) {
  std::vector<Tried> front;
  for (const Evaluated& listed : plan.pareto) {
    front.push_back(found_in(those, listed, asked.request));
    is_what_the_models_say(listed, front.back(), asked);
  }
  CHECK(std::ranges::is_sorted(front, {}, &Tried::seconds_per_image));
  for (const Tried& point : front) {
    CHECK(std::ranges::count_if(front, [&](const Tried& other) { return as_good(other, point, 1); }) == 1);
  }
  for (const Tried& e : those) {
    INFO(label(e.job, asked.request.candidates[e.gpu].target.gpu.name));
    CHECK(std::ranges::any_of(front, [&](const Tried& point) { return as_good(point, e, 1.021); }));
  }
}

/// The best of each other group, in order. Sharding that gains nothing is left out.
void check_alternatives(const Plan& plan, const Everything& all, const Tried& best, const MadeUpQuestion& asked) {
  std::vector<Tried> counting = all.that_count();
  std::vector<Tried> listed{best};
  for (const Evaluated& row : plan.alternatives) {
    const Tried& e = found_in(counting, row, asked.request);
    is_what_the_models_say(row, e, asked);
    CHECK(std::ranges::none_of(listed, [&](const Tried& other) { return other.same_group(e); }));
    CHECK((listed.size() == 1 || all.aim(listed.back()) <= all.aim(e)));
    listed.push_back(e);
  }
  const bool full = plan.alternatives.size() == asked.request.top;
  CHECK(plan.alternatives.size() <= asked.request.top);
  std::erase_if(counting, [&](const Tried& e) {
    return std::ranges::any_of(listed, [&](const Tried& other) { return other.same_group(e); });
  });
  while (!counting.empty()) {
    const Tried first = counting.front();
    std::vector<Tried> group;
    std::ranges::copy_if(counting, std::back_inserter(group), [&](const Tried& e) { return e.same_group(first); });
    std::erase_if(counting, [&](const Tried& e) { return e.same_group(first); });
    const bool may_gain_nothing = !asked.request.sharding && first.job.parallel.sharding != job::Sharding::ddp;
    auto [rank, unpriced, figure] = all.aim(*all.best_of(group));
    INFO("missing: " << label(first.job, asked.request.candidates[first.gpu].target.gpu.name));
    CHECK((may_gain_nothing || (full && (asked.request.top == 0 ||
                                         all.aim(listed.back()) <= std::tuple(rank, unpriced, figure * 1.0001)))));
  }
}

/// The largest batches of the chosen settings, of the same GPUs with others, and of each other GPU.
void check_largest_batches(const Plan& plan, const std::vector<Tried>& tried, const Tried& lead,
                           const MadeUpQuestion& asked) {
  const auto as_chosen = [&](job::Job job) {
    job.batch = lead.job.batch;
    job.accumulation = lead.job.accumulation;
    return job;
  };
  std::set<std::string> expected;
  std::vector<std::int64_t> most(asked.request.candidates.size(), 0);
  std::vector<std::int64_t> alike(asked.request.candidates.size(), 0);  // with the settings chosen
  for (const Tried& e : tried) {
    const std::string& name = asked.request.candidates[e.gpu].target.gpu.name;
    const job::Sharding sharding = e.job.parallel.sharding;
    const bool comparable = sharding == lead.job.parallel.sharding || sharding == job::Sharding::ddp;
    if (e.gpu == lead.gpu && e.job.parallel.gpus == lead.job.parallel.gpus && comparable) {
      expected.insert(label(as_chosen(e.job), name));
    }
    job::Job same = as_chosen(e.job);
    same.parallel.gpus = lead.job.parallel.gpus;
    same.parallel.nodes = lead.job.parallel.nodes;
    most[e.gpu] = std::max(most[e.gpu], e.job.parallel.gpus);
    alike[e.gpu] = same == lead.job ? std::max(alike[e.gpu], e.job.parallel.gpus) : alike[e.gpu];
  }
  std::set<std::string> found;
  std::set<std::string> others;
  for (const MaxBatch& cell : plan.max_batch) {
    const auto candidate =
        std::ranges::find(asked.request.candidates, cell.gpu, [](const Candidate& c) { return c.target.gpu.name; });
    const auto index = static_cast<std::size_t>(candidate - asked.request.candidates.begin());
    job::Job job = lead.job;
    job.precision = cell.precision;
    job.layout = cell.layout;
    job.checkpointing = cell.checkpointing;
    job.parallel.sharding = cell.sharding;
    job.parallel.gpus = cell.gpus;
    INFO(label(job, cell.gpu));
    if (index == lead.gpu) {
      CHECK(found.insert(label(job, cell.gpu)).second);
    } else {
      CHECK(others.insert(cell.gpu).second);
      CHECK(cell.gpus == (alike[index] > 0 ? alike[index] : most[index]));
      job.parallel.gpus = lead.job.parallel.gpus;
      CHECK((alike[index] == 0 || job == lead.job));
      job.parallel.gpus = cell.gpus;
    }
    const auto batches = support::largest_batches(asked.request, asked.engine, job, candidate->target);
    CHECK(cell.possible == batches.possible);
    CHECK(cell.hard == batches.hard);
    CHECK(cell.steady == batches.steady);
    CHECK(cell.usable == candidate->target.usable);
    CHECK_FALSE(cell.limited_by_search);
  }
  CHECK(found == expected);
  CHECK(std::cmp_equal(others.size(), std::ranges::count_if(most, [](std::int64_t n) { return n > 0; }) - 1));
  const MaxBatch& first = plan.max_batch.front();
  CHECK(first.precision == lead.job.precision);
  CHECK(first.layout == lead.job.layout);
  CHECK(first.checkpointing == lead.job.checkpointing);
  CHECK(first.sharding == lead.job.parallel.sharding);
}

/// The longer side, the shorter to the nearest pixel.
graph::Shape of_longer_side(const graph::Shape& image, std::int64_t side) {
  const auto longest = static_cast<double>(std::max(image.height, image.width));
  const auto scaled = [&](std::int64_t length) {
    const double exact = static_cast<double>(length * side) / longest;
    return std::max<std::int64_t>(1, static_cast<std::int64_t>(std::floor(exact + 0.5)));
  };
  return {image.channels, scaled(image.height), scaled(image.width)};
}

/// The image fits with as many as were asked for or alone, and where sizes do not flicker the next one does not.
void check_largest_image(const MaxResolution& largest, const Tried& chosen, const MadeUpQuestion& asked) {
  const estimate::Target& target = asked.request.candidates[chosen.gpu].target;
  job::Job job = chosen.job;
  job.batch = asked.request.batch.value_or(1);
  CHECK(largest.gpu == target.gpu.name);
  CHECK(largest.batch == job.batch);
  CHECK(largest.job == job);
  CHECK_FALSE(largest.limited_by_search);
  const auto fits = [&](std::int64_t side) {
    job.image = of_longer_side(chosen.job.image, side);
    return !job::validate(job) && support::room_of(asked.request, asked.engine, job, target).fits;
  };
  const std::int64_t side = std::max(largest.height, largest.width);
  if (side > 0) {
    CHECK(fits(side));
    CHECK(job.image == graph::Shape{3, largest.height, largest.width});
  }
  CHECK((asked.world.flicker > 0 || !fits(side + 1)));
}

/// Limits that the fastest keeps by a hair, or the cheapest, where sharding and checkpointing make room for batches
/// that are faster, by much or by little.
void tighten(MadeUpQuestion& asked, bool time) {
  asked.world.image *= 0.6;
  asked.world.launch *= asked.request.top < 2 ? 5 : 0.1;
  asked.world.state = 0.9 * asked.world.fixed;
  asked.world.checkpointed *= 0.5;
  asked.engine = support::engine_of(asked.world, asked.prices);
  PlanRequest& request = asked.request;
  request.job.data.images = request.job.data.images.value_or(500);
  request.deadline.reset();
  request.max_cost.reset();
  const std::vector<Tried> those = Everything(request, asked.engine).that_count();
  if (those.empty()) {
    return;
  }
  const Tried best = std::ranges::min(
      those, {}, [&](const Tried& e) { return std::pair(!time && !e.priced, time ? e.seconds_per_image : e.cost); });
  const auto& data = request.job.data;
  const double images =
      1.000000001 * static_cast<double>(*data.images * (request.job.mode == job::Mode::train ? data.epochs : 1));
  request.deadline = time ? std::optional(base::Seconds(best.seconds_per_image * images)) : std::nullopt;
  request.max_cost = best.priced ? std::optional(base::Usd(best.cost * images)) : std::nullopt;
}

TEST_CASE("winner and alternatives and front are those of a search without shortcuts") {
  int answered = 0;
  int refused = 0;
  for (std::uint32_t seed = 1; seed <= 240; ++seed) {
    MadeUpQuestion asked(seed);
    asked.request.top = seed % 4;
    if (seed % 3 == 0) {
      tighten(asked, seed % 2 == 0);
    }
    const auto planned = plan(asked.request, asked.engine);
    const Everything all(asked.request, asked.engine);
    const auto expected = all.best();
    INFO("seed " << seed);
    if (!planned) {  // settings that never go together, such as fsdp2 and channels_last
      REQUIRE_FALSE(expected);
      continue;
    }
    REQUIRE(planned->recommendation.has_value() == expected.has_value());
    REQUIRE(planned->evaluated + planned->rejected_count == planned->enumerated);
    if (!expected) {
      ++refused;
      continue;
    }
    ++answered;
    REQUIRE(expected->job.batch <= 8);  // the planner tries every batch up to there
    const Evaluated& chosen = planned->recommendation->figures;
    CHECK(label(chosen.job, chosen.gpu) ==
          label(expected->job, asked.request.candidates[expected->gpu].target.gpu.name));
    CHECK(chosen.job == expected->job);
    CHECK(planned->recommendation->estimate.job == expected->job);
    CHECK(planned->job == expected->job);
    CHECK(planned->recommendation->reserve ==
          support::kept_free(asked.request, asked.request.candidates[expected->gpu].target));
    is_what_the_models_say(chosen, *expected, asked);
    check_front(*planned, all.that_count(), asked);
    check_alternatives(*planned, all, *expected, asked);
    check_largest_batches(*planned, all.tried, *expected, asked);
    check_largest_image(*planned->max_resolution, *expected, asked);
  }
  CHECK(answered > 80);
  CHECK(refused > 80);
}

TEST_CASE("the same question has the same answer, however many threads look for it") {
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    MadeUpQuestion asked(seed);
    asked.request.threads = 1;
    const auto one = plan(asked.request, asked.engine);
    asked.request.threads = 4;
    const auto four = plan(asked.request, asked.engine);
    REQUIRE(one.has_value() == four.has_value());
    if (!one) {  // settings that never go together
      continue;
    }
    REQUIRE(one->recommendation.has_value() == four->recommendation.has_value());
    if (one->recommendation) {
      CHECK(one->recommendation->estimate.job == four->recommendation->estimate.job);
      CHECK(one->recommendation->why == four->recommendation->why);
    }
    CHECK(one->enumerated == four->enumerated);
    CHECK(one->alternatives.size() == four->alternatives.size());
    CHECK(one->remedies.size() == four->remedies.size());
  }
}

}  // namespace
}  // namespace vggplan::planner
