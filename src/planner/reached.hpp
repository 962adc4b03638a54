// SPDX-License-Identifier: MIT
// What a search need not look at: bounds of what groups can reach, and what others reach already.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "judge.hpp"

namespace vggplan::planner {

/// What the settings of one GPU model can do at best: by the floors of time and memory, without a simulation.
class Peaks {
 public:
  Peaks(const PlanRequest& request, const std::vector<Group>& groups, std::size_t candidate,
        const estimate::Engine& engine);
  /// Images per second that no batch of the group exceeds.
  [[nodiscard]] double bound(const Group& group) const;
  [[nodiscard]] double best() const;

 private:
  struct Peak {
    Settings settings{};
    double per_gpu{};
  };
  std::vector<Peak> peaks_{};
};

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
