// SPDX-License-Identifier: MIT
// What the host, a device of its own, takes to start work on the GPU.
#pragma once

#include "vggplan/timing/calibration.hpp"
#include "vggplan/timing/op.hpp"

namespace vggplan::timing {

/// Seconds that a host of the middle speed needs to start the op.
double host_seconds(const Op& op, const HostCosts& costs, const HostSpeed& speed);

/// By which factor a host takes longer that starts one addition in `operation` seconds; 1 where that, or the speed that
/// the costs hold for, is not known (0).
double host_factor(double operation, const HostSpeed& speed);

/// Between which factors hosts of unknown speed lie: those of the fastest and the slowest, and how far a host of known
/// speed may be off.
Spread host_range(const Calibration& calibration);

}  // namespace vggplan::timing
