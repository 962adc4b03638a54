// SPDX-License-Identifier: MIT
// The planner's limits against simulating every batch and every size, with the real models.
#include <cmath>
#include <tuple>

#include "support/catch.hpp"
#include "support/real_request.hpp"
#include "vggplan/planner/plan.hpp"

namespace vggplan::planner {
namespace {

/// Whether fragmentation lets a batch run flickers over dozens of them near the limit.
TEST_CASE("largest batches are those that simulating every batch finds") {
  const estimate::Engine& engine = support::known_engine();
  for (const auto& [gpu, side] : {std::pair("a100-sxm4-40gb", 512), std::pair("t4", 300),
                                  std::pair("h200-sxm-141gb", 1024), std::pair("rtx-3090", 2000)}) {
    const PlanRequest request = support::request_for(support::vgg16_on({3, side, side}), gpu);
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
  const estimate::Engine& engine = support::known_engine();
  for (const auto& [gpu, height, width] :
       {std::tuple("a100-sxm4-40gb", 4024, 3036), std::tuple("t4", 300, 300), std::tuple("rtx-3090", 1080, 1920)}) {
    PlanRequest request = support::request_for(support::vgg16_on({3, height, width}), gpu);
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
