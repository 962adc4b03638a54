// SPDX-License-Identifier: MIT
// The sentences of a recommendation, with numbers that the made-up models give by themselves.
#include <fmt/format.h>

#include <algorithm>

#include "support/catch.hpp"
#include "support/made_up.hpp"
#include "vggplan/base/format.hpp"

namespace vggplan::planner {
namespace {

using estimate::Verdict;
using job::Precision;
using support::engine_of;
using support::made_up_gpu;
using support::World;

/// 8 GPUs, every setting but the batch fixed.
PlanRequest request_for(std::int64_t usable, std::int64_t gpus) {
  PlanRequest request;
  request.job = support::small_job();
  request.candidates = {made_up_gpu("a", usable, gpus)};
  request.candidates[0].exactly = true;
  request.precision = Precision::tf32;
  request.layout = base::Layout::nchw;
  request.checkpointing = job::Checkpointing{};
  request.sharding = job::Sharding::ddp;
  return request;
}

Plan planned(const PlanRequest& request, const World& world, const support::Prices& prices = {}) {
  auto answer = plan(request, engine_of(world, prices));
  REQUIRE(answer.has_value());
  REQUIRE(answer->recommendation);
  return std::move(*answer);
}

bool says(const Plan& plan, const std::string& part) {
  const auto& why = plan.recommendation->why;
  std::string all;
  for (const std::string& sentence : why) {
    all += sentence + "\n";
  }
  INFO("looking for: " << part << "\nin:\n" << all);
  const bool found = all.find(part) != std::string::npos;
  CHECK(found);
  return found;
}

std::string percent(double ratio) { return fmt::format("{:.0f} %", 100 * ratio); }

TEST_CASE("scaling is the rate of all GPUs over that of one, and better for larger batches") {
  World world;
  world.exchange = 0.05;
  const PlanRequest request = request_for(2600, 4);
  const Plan plan = planned(request, world);
  const auto efficiency = [&](std::int64_t batch) {
    job::Job job = plan.recommendation->estimate.job;
    job.batch = batch;
    const double all = world.images_per_second(job);
    job.parallel.gpus = 1;
    return all / world.images_per_second(job) / 4;
  };
  const job::Job& job = plan.recommendation->estimate.job;
  says(plan, fmt::format("4 GPUs do {:.2f} times the work of one ({} scaling efficiency)", 4 * efficiency(job.batch),
                         percent(efficiency(job.batch))));
  const std::int64_t most = plan.max_batch.at(0).steady;
  CHECK(efficiency(most) > efficiency(1));
  says(plan, fmt::format("At batch 1 per GPU the efficiency would be {}, at batch {} {}", percent(efficiency(1)), most,
                         percent(efficiency(most))));
}

TEST_CASE("the next larger batch: what it would reserve, whether or not it fits") {
  World world;
  PlanRequest request = request_for(2600, 1);
  const auto reserved = [&](std::int64_t batch) {
    job::Job job = request.job;
    job.batch = batch;
    return base::Bytes(static_cast<std::int64_t>(world.reserved(job)));
  };
  request.batch = 2;
  says(planned(request, world), fmt::format("Batch 3 would reserve {} instead of {}", base::format_bytes(reserved(3)),
                                            base::format_bytes(reserved(2))));
  world.slack = 1;
  request.batch.reset();
  const Plan open = planned(request, world);
  const std::int64_t beyond = open.max_batch.at(0).steady + 1;
  says(open, fmt::format("Batch {} does not fit: it would reserve {}, and {} are usable.", beyond,
                         base::format_bytes(reserved(beyond)), base::format_bytes(base::Bytes(2600))));
  request.global_batch = 12;
  request.batch = 3;
  says(planned(request, world), "Batch 4 would reserve");
}

TEST_CASE("one more GPU: its rate, and its global batch where that is open") {
  const World world;
  PlanRequest request = request_for(2600, 4);
  const Plan plan = planned(request, world);
  job::Job job = plan.recommendation->estimate.job;
  job.parallel.gpus = 5;
  says(plan, fmt::format("One more GPU would bring {:.0f} images/s", world.images_per_second(job)));
  says(plan, fmt::format("at a global batch of {}", job::global_batch(job)));
}

TEST_CASE("checkpointing: what it frees and what it costs, chosen or not") {
  World world;
  PlanRequest request = request_for(2600, 1);
  request.batch = 8;
  says(planned(request, world), "make the step longer by ");
  request.checkpointing = job::Checkpointing{job::Checkpointing::Kind::block, 0};
  request.batch = 20;
  const Plan checkpointed = planned(request, world);
  job::Job without = checkpointed.recommendation->estimate.job;
  without.checkpointing = {};
  CHECK(world.verdict(without, 2600) == Verdict::does_not_fit);
  says(checkpointed, "without it this batch would reserve " +
                         base::format_bytes(base::Bytes(static_cast<std::int64_t>(world.reserved(without)))));
  request.job.model = support::vgg(16, true);
  says(planned(request, world), "running statistics of batch norm are updated twice");
}

TEST_CASE("sharding that the plan chose says why") {
  World world;
  world.fixed = 2000;
  world.state = 1500;
  PlanRequest request = request_for(2300, 4);
  request.sharding.reset();
  const Plan plan = planned(request, world);
  REQUIRE(plan.recommendation->estimate.job.parallel.sharding != job::Sharding::ddp);
  says(plan, "over the GPUs");
  says(plan, "the results do not");
}

TEST_CASE("batch norm with tiny batches is warned of, with many images it is not") {
  const World world;
  PlanRequest request = request_for(2600, 2);
  request.job.model = support::vgg(16, true);
  request.batch = 2;
  says(planned(request, world), "over the 2 images of a GPU's micro-batch: fewer than 8 hurt training");
  request.batch.reset();
  const Plan plan = planned(request, world);
  CHECK(plan.recommendation->estimate.job.batch >= 8);
  says(plan, "of equally fast batches the largest is taken");
}

TEST_CASE("another global batch is never chosen in silence, and a fixed one is kept") {
  const World world;
  PlanRequest request = request_for(2600, 2);
  const Plan open = planned(request, world);
  says(open, fmt::format("One optimizer step sees {} images", job::global_batch(open.recommendation->estimate.job)));
  request.global_batch = 24;
  const Plan fixed = planned(request, world);
  CHECK(job::global_batch(fixed.recommendation->estimate.job) == 24);
  for (const std::string& sentence : fixed.recommendation->why) {
    CHECK(sentence.find("One optimizer step sees") == std::string::npos);
  }
}

TEST_CASE("a deadline and a budget that are met are held against what the run takes") {
  const World world;
  PlanRequest request = request_for(2600, 1);
  request.job.data.images = 3600;
  request.deadline = base::Seconds(7200);
  request.max_cost = base::Usd(100);
  const Plan plan = planned(request, world, {{"a", 2.0}});
  const double seconds = 3600 / world.images_per_second(plan.recommendation->estimate.job);
  says(plan, fmt::format("The run takes {} of the 2 h 00 min allowed", base::format_seconds(base::Seconds(seconds))));
  says(plan, fmt::format("The run costs {} of the $100.00 allowed", base::format_usd(base::Usd(2 * seconds / 3600))));
}

}  // namespace
}  // namespace vggplan::planner
