// SPDX-License-Identifier: MIT
// The largest batches, of the settings that matter beside the leading ones.
#pragma once

#include <vector>

#include "search.hpp"
#include "vggplan/planner/plan.hpp"

namespace vggplan::planner {

/// Of the leading group first, then of its GPU's other settings at the same count, then of the other GPUs at their
/// largest count with the leading group's settings where they have them. Those of its GPU are exact up to 512 images,
/// the others up to 32; beyond, see `largest_below`.
std::vector<MaxBatch> max_batches(const PlanRequest& request, const Search& found, const Group& lead,
                                  std::int64_t accumulation, const estimate::Engine& engine);

}  // namespace vggplan::planner
