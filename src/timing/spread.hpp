// SPDX-License-Identifier: MIT
// What decides how far a measured step may lie from the model.
#pragma once

#include <span>

#include "vggplan/timing/calibration.hpp"
#include "vggplan/timing/op.hpp"

namespace vggplan::timing {

/// Seconds that the kernels of a step take, and the host to start them.
struct Busy {
  double device{};
  double host{};
};

/// The spread that holds for a step of these ops: of true fp32, else of the side that bounds it. `step` is the time of
/// the step in seconds.
Spread Calibration::*spread_kind(std::span<const Op> ops, const hardware::Gpu& gpu, double step, const Busy& busy);

/// The spread with room for what was not timed: `unmeasured` is the part of the step's kernel time that is carried from
/// operations of other channels.
Spread widened(Spread spread, double unmeasured);

}  // namespace vggplan::timing
