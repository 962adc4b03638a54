// SPDX-License-Identifier: MIT
// Plans under a limit of memory against what was run under it: max_batch.jsonl.
#include "support/catch.hpp"
#include "support/measured.hpp"
#include "support/real_request.hpp"
#include "vggplan/planner/plan.hpp"

namespace vggplan::planner {
namespace {

using support::Row;

PlanRequest request_under(std::int64_t gib) {
  PlanRequest request = support::request_for(support::vgg16_on({3, 4024, 3036}), "h200-sxm-141gb");
  request.candidates.front().target.usable = base::kGiB * gib;
  return request;
}

/// The settings of the cell fixed, the batch open.
PlanRequest request_of(const Row& cell) {
  PlanRequest request = request_under(cell.at("cap_gib"));
  request.job = support::job_of(cell);
  request.precision = request.job.precision;
  request.layout = request.job.layout;
  request.checkpointing = request.job.checkpointing;
  return request;
}

/// A batch that was run, or a smaller one than was run.
bool is_shown_to_run(const Row& cell, std::int64_t batch) {
  for (const auto& [tried, outcome] : cell.at("tries").items()) {
    if (outcome.at("ok") && batch <= std::stoll(tried)) {
      return true;
    }
  }
  return false;
}

Plan planned(const PlanRequest& request) {
  auto answer = plan(request, support::known_engine());
  REQUIRE(answer.has_value());
  return std::move(*answer);
}

TEST_CASE("at the settings of each measured cell, the batch that the plan recommends is one that was seen to run") {
  for (const Row& cell : support::read_rows("max_batch.jsonl")) {
    INFO(support::label_of(cell) << " under " << cell.at("cap_gib") << " GiB");
    const Plan plan = planned(request_of(cell));
    REQUIRE(plan.recommendation);
    CHECK(is_shown_to_run(cell, plan.recommendation->estimate.job.batch));
    CHECK(is_shown_to_run(cell, plan.max_batch.at(0).steady));
    CHECK(is_shown_to_run(cell, plan.max_batch.at(0).hard));
  }
}

TEST_CASE("the largest batch that was seen to run is granted or said to flush the cache, and one more is refused") {
  for (const Row& cell : support::read_rows("max_batch.jsonl")) {
    INFO(support::label_of(cell) << " under " << cell.at("cap_gib") << " GiB");
    PlanRequest request = request_of(cell);
    request.batch = cell.at("max_batch").get<std::int64_t>();
    const Plan granted = planned(request);
    const bool flushes = granted.failure && granted.failure->reason == "cache-flushes";
    CHECK((granted.recommendation || (flushes && granted.max_batch.at(0).hard == *request.batch)));
    ++*request.batch;
    const Plan refused = planned(request);
    CHECK_FALSE(refused.recommendation.has_value());
    CHECK_FALSE(refused.remedies.empty());
  }
}

TEST_CASE("what the plan recommends when every setting is open is among the settings that were seen to run") {
  for (const std::int64_t gib : {23, 39, 79}) {
    const Plan plan = planned(request_under(gib));
    REQUIRE(plan.recommendation);
    const job::Job& best = plan.recommendation->estimate.job;
    int shown = 0;
    for (const Row& cell : support::read_rows("max_batch.jsonl")) {
      const job::Job job = support::job_of(cell);
      const bool same = cell.at("cap_gib") == gib && !job.expandable_segments && job.precision == best.precision &&
                        job.layout == best.layout && job.checkpointing == best.checkpointing;
      shown += same && is_shown_to_run(cell, best.batch) ? 1 : 0;
    }
    INFO(gib << " GiB: " << plan.recommendation->why.at(0));
    CHECK(shown == 1);
  }
}

}  // namespace
}  // namespace vggplan::planner
