// SPDX-License-Identifier: MIT
// What a card holds: the largest batch and the largest image of every choice of settings, and what that costs in time.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "vggplan/planner/plan.hpp"

namespace vggplan::planner {

/// One choice of settings.
struct Holding {
  MaxBatch batch{};
  std::int64_t certain{};      ///< largest batch of which the upper end of the range fits, too
  MaxResolution image{};       ///< with the batch asked for, or one image
  job::Job job{};              ///< with the batch asked for, or the largest that fits, certainly where one does; else 1
  double images_per_second{};  ///< of that job; 0 where it does not fit
  std::optional<double> slowdown{};  ///< its seconds per image against those of the fastest choice
};

struct Capacity {
  std::vector<Holding> holdings{};  ///< fastest first, then what does not fit by its image; never empty
  estimate::Estimate estimate{};    ///< of the first
  std::vector<Remedy> remedies{};   ///< where none fits
  [[nodiscard]] bool fits() const { return holdings.front().slowdown.has_value(); }
};

/// Of the request's only candidate, which has one count of GPUs and one kind of sharding. Batches and images are found
/// as `plan` finds them.
base::Result<Capacity> capacity(const PlanRequest& request, const estimate::Engine& engine);

}  // namespace vggplan::planner
