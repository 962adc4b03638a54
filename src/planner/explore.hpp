// SPDX-License-Identifier: MIT
// The walk: what fits in a group of candidates, and how fast that is.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "judge.hpp"
#include "vggplan/planner/plan.hpp"

namespace vggplan::planner {

/// What has to fit: the upper end of the range of what is reserved, or the expected figure alone.
enum class Certainty { certain, possible };

struct Limits {
  std::int64_t steady{};
  std::int64_t hard{};      ///< no smaller batch fails: what runs for certain
  std::int64_t possible{};  ///< runs, though batches between `hard` and it do not
  bool limited_by_search{false};
};

/// What became of the candidates of one group.
struct Explored {
  Group group{};
  std::int64_t enumerated{};
  std::vector<Evaluated> evaluated{};
  Tally rejected{};
  double potential{};                         ///< useful images per second of the fastest that memory refused
  std::optional<base::Bytes> nearest_miss{};  ///< bytes short of the smallest candidate, where none fits
  std::optional<job::Job> nearest_job{};

  /// Of those that were evaluated; there must be one.
  [[nodiscard]] const Evaluated& fastest() const {
    return *std::ranges::max_element(evaluated, {}, &Evaluated::useful_images_per_second);
  }
};

/// Largest batches at the group's settings, by simulation: all numbers are tried up to `most_tried` of them.
Limits solve_limits(const PlanRequest& request, const Group& group, std::int64_t accumulation,
                    const estimate::Engine& engine, std::int64_t most_tried);

/// The group's rungs (every batch up to 8, then four to the octave), or the batches that the request fixes. `bar`:
/// useful images per second that count for nothing.
Explored explore(const PlanRequest& request, const Group& group, Certainty certainty, double bar,
                 const estimate::Engine& engine);

/// Rungs are some percent apart: adds the fastest batch between them that fits, where one is faster than those that
/// were evaluated. For groups whose batch is open and that have one.
void refine(const PlanRequest& request, Explored& explored, Certainty certainty, const estimate::Engine& engine);

}  // namespace vggplan::planner
