// SPDX-License-Identifier: MIT
// What decides how far a measured step may lie from the model.
#pragma once

#include <span>

#include "vggplan/hardware/hardware.hpp"
#include "vggplan/timing/calibration.hpp"
#include "vggplan/timing/op.hpp"

namespace vggplan::timing {

/// The spread of the kernels of these ops: in true fp32 it is one of its own.
Spread Calibration::*spread_kind(std::span<const Op> ops, const hardware::Gpu& gpu);

/// Kernels of which cuDNN has a fast and a slow one, and takes either for sizes that look alike.
struct Wavering {
  double seconds{};  ///< as modelled, of all of them
  double slow{};     ///< were each of them the slow one
};
/// What `op` adds to that; `seconds` as modelled.
Wavering wavering(const Op& op, double seconds);

/// The spread with room for what was not timed: `unmeasured` is the part of the step's kernel time that is carried from
/// operations of other channels.
Spread widened(Spread spread, double unmeasured);

/// The same with room for either kernel, in a step that keeps the GPU busy for `device` seconds.
Spread widened(Spread spread, const Wavering& either, double device);

/// Whether a GPU whose kernels take `device` seconds waits for the host in a step of `step` seconds: idle for a
/// twentieth of it, gaps between kernels counted as busy.
bool waits_for_host(double step, double device);

}  // namespace vggplan::timing
