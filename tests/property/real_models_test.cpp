// SPDX-License-Identifier: MIT
// The planner's ladder of batches against trying nearly all of them, with the real models.
#include <cmath>
#include <tuple>

#include "support/catch.hpp"
#include "support/known.hpp"
#include "vggplan/planner/plan.hpp"

namespace vggplan::planner {
namespace {

using Kind = job::Checkpointing::Kind;

PlanRequest request_of(const char* gpu, std::int64_t side, std::int64_t gpus) {
  PlanRequest request;
  request.job.model = support::built_in_catalog().model("vgg16").value();
  request.job.image = {3, side, side};
  Candidate candidate;
  candidate.target = support::target(gpu);
  candidate.gpus = gpus;
  candidate.exactly = true;
  request.candidates.push_back(candidate);
  request.solve_resolution = false;
  return request;
}

/// Images per second of the fastest batch that fits, each up to 128 tried, then every 16th.
double fastest(job::Job job, const estimate::Target& target, const estimate::Engine& engine) {
  // Recommended is what fits to the upper end of its range.
  const auto surely_fits = [&](const job::Job& asked) {
    return engine.memory(asked, target)->verdict == estimate::Verdict::fits &&
           *engine.reserved_high(asked, target) <= engine.usable(asked, target);
  };
  double best = 0;
  for (job.batch = 1; engine.memory_floor(job, target) <= target.usable; job.batch += job.batch < 128 ? 1 : 16) {
    const auto time = engine.time(job, target);
    if (time && time->images_per_second > best && surely_fits(job)) {
      best = time->images_per_second;
    }
  }
  return best;
}

/// Over the settings that the planner may choose; fp16 where there is no bf16.
double fastest_of_all(const PlanRequest& request, const estimate::Engine& engine) {
  const estimate::Target& target = request.candidates.front().target;
  const auto half = target.gpu.bf16_tensor ? job::Precision::amp_bf16 : job::Precision::amp_fp16;
  double best = 0;
  for (const auto precision : {job::Precision::tf32, half}) {
    for (const auto layout : {base::Layout::nchw, base::Layout::nhwc}) {
      for (const auto kind : {Kind::none, Kind::block}) {
        for (const auto sharding : {job::Sharding::ddp, job::Sharding::zero1, job::Sharding::fsdp2}) {
          job::Job job = request.job;
          job.precision = precision;
          job.layout = layout;
          job.checkpointing = {kind, 0};
          job.parallel.gpus = request.candidates.front().gpus;
          job.parallel.sharding = sharding;
          const bool single = job.parallel.gpus == 1 && sharding != job::Sharding::ddp;
          best = single || job::validate(job) ? best : std::max(best, fastest(job, target, engine));
        }
      }
    }
  }
  return best;
}

TEST_CASE("no settings and no batch are more than 1 % faster than the recommended ones") {
  const estimate::Engine engine = estimate::make_engine(support::known());
  for (const char* gpu : {"t4", "a100-sxm4-80gb", "rtx-3090"}) {
    for (const std::int64_t side : {512, 1024, 3000}) {
      for (const std::int64_t gpus : {1, 4}) {
        const PlanRequest request = request_of(gpu, side, gpus);
        const auto answer = plan(request, engine);
        INFO(gpu << " x " << gpus << ", " << side << " pixels");
        REQUIRE(answer.has_value());
        REQUIRE(answer->recommendation);
        const double chosen = answer->recommendation->estimate.time.images_per_second.value;
        CHECK(chosen * 1.0101 >= fastest_of_all(request, engine));
      }
    }
  }
}

/// Whether fragmentation lets a batch run flickers over dozens of them near the limit.
TEST_CASE("largest batches are those that simulating every batch finds") {
  const estimate::Engine engine = estimate::make_engine(support::known());
  for (const auto& [gpu, side] : {std::pair("a100-sxm4-40gb", 512), std::pair("t4", 300),
                                  std::pair("h200-sxm-141gb", 1024), std::pair("rtx-3090", 2000)}) {
    const PlanRequest request = request_of(gpu, side, 1);
    const estimate::Target& target = request.candidates.front().target;
    const auto answer = plan(request, engine);
    REQUIRE(answer.has_value());
    for (const MaxBatch& cell : answer->max_batch) {
      job::Job job = request.job;
      job.precision = cell.precision;
      job.layout = cell.layout;
      job.checkpointing = cell.checkpointing;
      std::int64_t steady = 0;
      std::int64_t hard = 0;  // as long as none failed
      std::int64_t possible = 0;
      for (job.batch = 1; job.batch <= 2 * cell.possible + 20; ++job.batch) {
        const auto verdict = engine.memory(job, target)->verdict;
        possible = verdict == estimate::Verdict::does_not_fit ? possible : job.batch;
        hard = verdict != estimate::Verdict::does_not_fit && hard == job.batch - 1 ? job.batch : hard;
        steady = job.batch > hard ? steady : verdict == estimate::Verdict::fits ? job.batch : steady;
      }
      INFO(gpu << " " << side << " " << base::name_of_enum(cell.precision) << " " << base::name_of_enum(cell.layout)
               << " " << job::to_string(cell.checkpointing));
      CHECK(cell.hard == hard);
      CHECK(cell.possible == possible);
      CHECK(cell.steady == steady);
    }
  }
}

TEST_CASE("the largest image fits, and is within 2 % of the one that simulating every size finds") {
  const estimate::Engine engine = estimate::make_engine(support::known());
  for (const auto& [gpu, height, width] :
       {std::tuple("a100-sxm4-40gb", 4024, 3036), std::tuple("t4", 300, 300), std::tuple("rtx-3090", 1080, 1920)}) {
    PlanRequest request = request_of(gpu, height, 1);
    request.job.image.width = width;
    request.solve_resolution = true;
    const auto answer = plan(request, engine);
    REQUIRE(answer.has_value());
    REQUIRE(answer->max_resolution);
    job::Job job = answer->job;
    job.batch = 1;
    std::int64_t best = 0;
    for (std::int64_t longest = 32; longest <= 9'000; ++longest) {
      // The shorter side is the nearest whole number of pixels of the same aspect.
      const double shorter = static_cast<double>(longest) * std::min(height, width) / std::max(height, width);
      const auto rounded = std::max<std::int64_t>(1, std::llround(shorter));
      job.image.height = height >= width ? longest : rounded;
      job.image.width = height >= width ? rounded : longest;
      const bool fits = !job::validate(job) &&
                        engine.memory(job, request.candidates.front().target)->verdict == estimate::Verdict::fits;
      best = fits ? longest : best;
    }
    INFO(gpu << " " << height << "x" << width);
    const std::int64_t side = std::max(answer->max_resolution->height, answer->max_resolution->width);
    CHECK(side <= best);
    CHECK(side >= best - best / 50);
    job.image = {3, answer->max_resolution->height, answer->max_resolution->width};
    CHECK(engine.memory(job, request.candidates.front().target)->verdict == estimate::Verdict::fits);
  }
}

}  // namespace
}  // namespace vggplan::planner
