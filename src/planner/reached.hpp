// SPDX-License-Identifier: MIT
// What a search need not look at: bounds of what groups can reach, and what others reach already.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "explore.hpp"

namespace vggplan::planner {

/// Of each group, images per second and GPU that none of its batches exceeds: by the floors of time and memory of its
/// settings, sharding apart, without a simulation.
std::vector<double> bounds_per_gpu(const PlanRequest& request, const std::vector<Group>& groups,
                                   const estimate::Engine& engine);

/// What has been evaluated so far. Others that stay behind it in time, money and GPUs cannot be recommended, are not
/// on the front, and are no alternatives once there are enough.
class Reached {
 public:
  explicit Reached(const PlanRequest& request) : request_(request) {}
  void add(const Explored& explored);
  /// `best`: the figures of a group at its bound.
  [[nodiscard]] bool covers(const Evaluated& best) const;

 private:
  const PlanRequest& request_;
  std::vector<Evaluated> front_{};
  std::vector<Score> scores_{};  ///< the best of each group, ascending, no more than matter
};

}  // namespace vggplan::planner
