// SPDX-License-Identifier: MIT
// Why there is no recommendation, in a few words.
#pragma once

#include "search.hpp"
#include "vggplan/planner/plan.hpp"

namespace vggplan::planner {

Failure failure_of(const PlanRequest& request, const Search& found);

}  // namespace vggplan::planner
