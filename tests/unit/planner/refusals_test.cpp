// SPDX-License-Identifier: MIT
// What a plan says where it recommends nothing: which limit stands in the way, by how much, and what helps.
#include <algorithm>
#include <map>
#include <set>

#include "support/catch.hpp"
#include "support/every_candidate.hpp"
#include "vggplan/base/format.hpp"
#include "vggplan/planner/plan.hpp"

namespace vggplan::planner {
namespace {

using support::Everything;
using support::label;
using support::MadeUpQuestion;
using support::Tried;

/// What is written between two texts.
std::string between(const std::string& text, const std::string& before, const std::string& after) {
  const std::size_t begin = text.find(before);
  if (begin == std::string::npos) {
    return "";
  }
  const std::string rest = text.substr(begin + before.size());
  return rest.substr(0, rest.find(after));
}

double seconds_in(const std::string& text) { return base::parse_duration(text, "").value().count(); }

/// A data set whose batches are not all worth a step of their own: the smallest batch of as many steps stands for all.
bool wasteful(const job::Job& job, const PlanRequest& request) {
  if (!job.data.images || request.batch || request.global_batch || job.batch == 1) {
    return false;
  }
  const std::int64_t one = job.parallel.gpus * job.accumulation;
  const auto steps = [&](std::int64_t batch) { return (*job.data.images + batch * one - 1) / (batch * one); };
  return steps(job.batch) == steps(job.batch - 1);
}

/// Of candidates that memory refuses: how many for which reason, the nearest, and that the example is one of them.
void check_rows(const Plan& plan, const Everything& all, const PlanRequest& request) {
  std::map<std::string, std::vector<Tried>> rows;
  for (const Tried& e : all.tried) {
    if (!wasteful(e.job, request)) {
      rows[e.refused].push_back(e);
    }
  }
  base::Bytes nearest = base::kGiB;
  for (const auto& [reason, those] : rows) {
    const auto row = std::ranges::find(plan.rejected, reason, &Rejection::reason);
    INFO(reason);
    REQUIRE(row != plan.rejected.end());
    CHECK(row->count == static_cast<std::int64_t>(those.size()));
    const base::Bytes least = std::ranges::min(those, {}, &Tried::miss).miss;
    nearest = std::min(nearest, least);
    CHECK(row->nearest_miss == (least > base::Bytes(0) ? Miss(least) : Miss()));
    CHECK(std::ranges::any_of(those, [&](const Tried& e) {
      return e.miss == least && label(e.job, request.candidates[e.gpu].target.gpu.name) == row->example;
    }));
  }
  CHECK(std::ranges::is_sorted(plan.rejected, std::ranges::greater{}, &Rejection::count));
  const auto asked = std::ranges::find(all.tried, plan.job, &Tried::job);
  REQUIRE(asked != all.tried.end());
  CHECK(std::ranges::any_of(all.tried, [&](const Tried& e) { return e.job == plan.job && e.miss == nearest; }));
}

std::string expected_failure(const Everything& all) {
  for (const char* reason : {"reserve", "cache-flushes", "memory", "memory-floor"}) {
    if (std::ranges::find(all.tried, reason, &Tried::refused) != all.tried.end()) {
      return reason;
    }
  }
  return "";
}

TEST_CASE("where nothing fits, each candidate is counted under its reason, and the nearest speaks for all") {
  int refused = 0;
  std::map<std::string, int> reasons;
  for (std::uint32_t seed = 1; seed <= 300; ++seed) {
    MadeUpQuestion asked(seed);
    asked.world.image *= 1 + 0.15 * static_cast<double>(seed % 20);
    asked.engine = support::engine_of(asked.world, asked.prices);
    const Everything all(asked.request, asked.engine);
    const auto answer = plan(asked.request, asked.engine);
    if (!answer || std::ranges::any_of(all.tried, &Tried::fits) || all.tried.empty()) {
      continue;
    }
    ++refused;
    INFO("seed " << seed);
    REQUIRE_FALSE(answer->recommendation);
    CHECK(answer->evaluated == 0);
    CHECK(answer->rejected_count == answer->enumerated);
    CHECK(answer->failure->reason == expected_failure(all));
    ++reasons[answer->failure->reason];
    check_rows(*answer, all, asked.request);
  }
  CHECK(refused > 50);
  CHECK(reasons.size() == 4);
}

/// Those that fit, and miss nothing but what is asked about.
std::vector<Tried> that_miss(const Everything& all, bool late, bool dear, bool unpriced) {
  std::vector<Tried> those;
  std::ranges::copy_if(all.tried, std::back_inserter(those), [&](const Tried& e) {
    return e.fits() && e.late == late && e.dear == dear && e.unpriced == unpriced;
  });
  return those;
}

/// Of the whole run.
struct RunFigures {
  double images{};
  explicit RunFigures(const PlanRequest& request)
      : images(static_cast<double>(*request.job.data.images *
                                   (request.job.mode == job::Mode::train ? request.job.data.epochs : 1))) {}
  [[nodiscard]] double seconds(const Tried& e) const { return images * e.seconds_per_image; }
  [[nodiscard]] double dollars(const Tried& e) const { return images * e.cost; }
};

template <class Figure>
double least(const std::vector<Tried>& those, Figure figure) {
  double best = HUGE_VAL;
  for (const Tried& e : those) {
    best = std::min(best, figure(e));
  }
  return best;
}

/// The one limit that is to be relaxed stands in the remedy, and it is that of the nearest candidate.
void check_relaxed(const MadeUpQuestion& asked, const Plan& plan, const Everything& all) {
  const RunFigures run(asked.request);
  const auto late = that_miss(all, true, false, false);
  const auto dear = that_miss(all, false, true, false);
  const auto unpriced = that_miss(all, false, false, true);
  const double time = least(late, [&](const Tried& e) { return run.seconds(e); });
  const double money = least(dear, [&](const Tried& e) { return run.dollars(e); });
  const Failure& failure = *plan.failure;
  const std::string both = "limits";
  CHECK(failure.reason == (!late.empty() && !dear.empty() ? both
                           : !late.empty()                ? "deadline"
                           : !dear.empty()                ? "max-cost"
                           : !unpriced.empty()            ? "price"
                                                          : both));
  // Shown to three digits, and groups that gain less than 1 % may be left out.
  if (!late.empty()) {
    CHECK(seconds_in(between(failure.detail, "nearest takes ", " (")) == Approx(time).epsilon(0.02));
  }
  if (!dear.empty()) {
    CHECK(std::stod(between(failure.detail, "nearest costs $", " (")) == Approx(money).epsilon(0.02).margin(0.006));
  }
  if (!late.empty() && !dear.empty()) {
    CHECK(failure.detail.starts_with("within the budget the nearest takes "));
    CHECK(failure.detail.find("; within the deadline the nearest costs $") != std::string::npos);
  }
}

TEST_CASE("where a limit is missed, the failure names it and the nearest candidate") {
  std::map<std::string, int> reasons;
  for (std::uint32_t seed = 1; seed <= 400; ++seed) {
    MadeUpQuestion asked(seed);
    asked.request.job.data.images = 200 + 40 * (seed % 50);
    if (seed % 3 != 0) {
      asked.request.deadline = base::Seconds(1.0 + seed % 29);
    }
    if (seed % 3 != 1) {
      asked.request.max_cost = base::Usd(0.001 * (1 + seed % 31));
    }
    const Everything all(asked.request, asked.engine);
    const auto answer = plan(asked.request, asked.engine);
    if (!answer || !all.that_count().empty() || std::ranges::none_of(all.tried, &Tried::fits)) {
      continue;
    }
    INFO("seed " << seed);
    REQUIRE_FALSE(answer->recommendation);
    check_relaxed(asked, *answer, all);
    ++reasons[answer->failure->reason];
  }
  CHECK(reasons["deadline"] > 5);
  CHECK(reasons["max-cost"] > 5);
  CHECK(reasons["limits"] > 5);
  CHECK(reasons["price"] > 5);
}

}  // namespace
}  // namespace vggplan::planner
