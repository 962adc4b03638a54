// SPDX-License-Identifier: MIT
#include "timing/spread.hpp"

#include <algorithm>

namespace vggplan::timing {

Spread Calibration::*spread_kind(std::span<const Op> ops, const hardware::Gpu& gpu, double step, double device_busy) {
  const bool true_fp32 = std::any_of(ops.begin(), ops.end(), [&](const Op& op) {
    return op.kind == OpKind::conv_forward && hardware::arithmetic(gpu, op.math) == base::MathMode::fp32;
  });
  // A GPU that is idle for a twentieth of the step waited for the host: gaps between kernels are counted as busy.
  constexpr double kIdle = 1.05;
  return true_fp32                    ? &Calibration::spread_fp32
         : step > kIdle * device_busy ? &Calibration::spread_host
                                      : &Calibration::spread;
}

}  // namespace vggplan::timing
