// SPDX-License-Identifier: MIT
// What a plan says beside its choice: the largest batches, or why there is none and what helps.
#pragma once

#include <vector>

#include "search.hpp"
#include "vggplan/planner/plan.hpp"

namespace vggplan::planner {

/// The largest batches of the leading group first, then of its GPU's other settings at the same count, then of the
/// other GPUs at their largest count with the leading group's settings where they have them. Those of its GPU are exact
/// up to 512 images, the others up to 32; beyond, see `largest_below`.
std::vector<MaxBatch> max_batches(const PlanRequest& request, const Search& found, const Group& lead,
                                  std::int64_t accumulation, const estimate::Engine& engine);

/// Why the question makes no sense for any candidate.
base::Status error_of(const PlanRequest& request);

/// Why there is no recommendation, in a few words.
Failure failure_of(const PlanRequest& request, const Search& found);

/// What would make a job fit that does not, each tried in the models before it is named. Ranked: what leaves training
/// and hardware as they are first, then the cheapest in time.
std::vector<Remedy> memory_remedies(const PlanRequest& request, const job::Job& job, const Candidate& candidate,
                                    const estimate::Engine& engine);

/// What would meet a deadline or a budget that every candidate misses.
std::vector<Remedy> constraint_remedies(const PlanRequest& request, const Search& found,
                                        const estimate::Engine& engine);

}  // namespace vggplan::planner
