// SPDX-License-Identifier: MIT
// What decides how far a measured step may lie from the model.
#pragma once

#include <span>

#include "vggplan/timing/calibration.hpp"
#include "vggplan/timing/op.hpp"

namespace vggplan::timing {

/// The spread that holds for a step of these ops: of true fp32, else of the side that bounds it. `step` is the time of
/// the step, `device_busy` the sum of its kernels, in seconds.
Spread Calibration::*spread_kind(std::span<const Op> ops, const hardware::Gpu& gpu, double step, double device_busy);

}  // namespace vggplan::timing
