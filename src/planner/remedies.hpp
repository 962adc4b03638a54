// SPDX-License-Identifier: MIT
// What would make a job fit that does not, each tried in the models before it is named.
#pragma once

#include <vector>

#include "search.hpp"
#include "vggplan/planner/plan.hpp"

namespace vggplan::planner {

/// Ranked: what leaves training and hardware as they are first, then the cheapest in time.
std::vector<Remedy> memory_remedies(const PlanRequest& request, const job::Job& job, const Candidate& candidate,
                                    const estimate::Engine& engine);

/// What would meet a deadline or a budget that every candidate misses.
std::vector<Remedy> constraint_remedies(const PlanRequest& request, const Search& found,
                                        const estimate::Engine& engine);

}  // namespace vggplan::planner
