// SPDX-License-Identifier: MIT
#include "failure.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "vggplan/base/format.hpp"

namespace vggplan::planner {
namespace {

using What = Missed::What;

/// The candidate that misses this alone and by the least; nothing where each misses more.
const Evaluated* nearest(const PlanRequest& request, const Search& found, What what) {
  const Evaluated* best = nullptr;
  Miss least;
  for (const Contender& contender : found.missed) {
    const auto missed = constraints_missed(request, contender.figures);
    if (missed.size() == 1 && missed.front().what == what && (best == nullptr || missed.front().by < least)) {
      best = &contender.figures;
      least = missed.front().by;
    }
  }
  return best;
}

Failure limits_failure(const PlanRequest& request, const Search& found) {
  const Evaluated* late = nearest(request, found, What::deadline);
  const Evaluated* dear = nearest(request, found, What::max_cost);
  const Evaluated* unpriced = nearest(request, found, What::price);
  const auto takes = [](const Evaluated& e) {
    return fmt::format("the nearest takes {} ({})", base::format_seconds(*e.total), describe(e.job, e.gpu));
  };
  const auto costs = [](const Evaluated& e) {
    return fmt::format("the nearest costs {} ({})", base::format_usd(*e.cost), describe(e.job, e.gpu));
  };
  if (late != nullptr && dear != nullptr) {
    return {"limits", "No plan meets both limits",
            fmt::format("within the budget {}; within the deadline {}", takes(*late), costs(*dear))};
  }
  if (late != nullptr) {
    return {"deadline", "No plan meets the deadline", takes(*late)};
  }
  if (dear != nullptr) {
    return {"max-cost", "No plan stays within the budget", costs(*dear)};
  }
  if (unpriced != nullptr) {
    return {"price", "No plan has a known price",
            fmt::format("the catalogue has none for {0}; give it with --price {0}=USD_PER_HOUR", unpriced->gpu)};
  }
  const Evaluated& any = found.missed[*winner(request, found.missed)].figures;
  return {"limits", "No plan meets both limits",
          any.cost ? fmt::format("{}, and it costs {}", takes(any), base::format_usd(*any.cost))
                   : fmt::format("{}, and no price of it is known", takes(any))};
}

}  // namespace

Failure failure_of(const PlanRequest& request, const Search& found) {
  if (!found.missed.empty()) {
    return limits_failure(request, found);
  }
  const auto rows = found.rejected.list();
  const auto row = [&](const std::string& reason) { return std::ranges::find(rows, reason, &Rejection::reason); };
  if (row("reserve") != rows.end()) {
    return {"reserve", "Nothing fits and keeps the reserve", row("reserve")->message};
  }
  if (row("cache-flushes") != rows.end()) {
    return {"cache-flushes", "Nothing fits without cache flushes",
            "what runs flushes the allocator's cache in every step, and how long that takes is not modelled"};
  }
  for (const char* reason : {"memory", "memory-floor"}) {
    if (row(reason) != rows.end()) {
      return {reason, "Nothing fits", row(reason)->message};
    }
  }
  return rows.empty() ? Failure{"none", "Nothing was looked at", ""}
                      : Failure{rows.front().reason, "No plan is possible", rows.front().message};
}

}  // namespace vggplan::planner
