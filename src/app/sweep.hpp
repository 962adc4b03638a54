// SPDX-License-Identifier: MIT
// The points of a sweep: every combination of the values of its axes, the last axis fastest.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "app/options.hpp"
#include "app/settings.hpp"
#include "vggplan/base/result.hpp"

namespace vggplan::app {

/// The flags that a sweep may vary.
std::vector<std::string> sweepable_flags();

class Space {
 public:
  /// Checks that each axis is a flag that a job has, and that there are not too many points.
  static base::Result<Space> make(std::vector<Axis> axes);

  [[nodiscard]] std::int64_t size() const { return size_; }
  [[nodiscard]] const std::vector<Axis>& axes() const { return axes_; }
  /// The value of each axis at a point.
  [[nodiscard]] std::vector<std::string> values(std::int64_t point) const;
  /// Options at a point: `base` with the axes set.
  [[nodiscard]] base::Result<Options> options(const Settled& base, std::int64_t point) const;

 private:
  std::vector<Axis> axes_{};
  std::int64_t size_{1};
};

}  // namespace vggplan::app
