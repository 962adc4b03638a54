// SPDX-License-Identifier: MIT
#include "timing/spread.hpp"

#include <algorithm>

namespace vggplan::timing {

Spread Calibration::*spread_kind(std::span<const Op> ops, const hardware::Gpu& gpu) {
  const bool true_fp32 = std::any_of(ops.begin(), ops.end(), [&](const Op& op) {
    return op.kind == OpKind::conv_forward && hardware::arithmetic(gpu, op.math) == base::MathMode::fp32;
  });
  return true_fp32 ? &Calibration::spread_fp32 : &Calibration::spread;
}

Spread widened(Spread spread, double unmeasured) {
  // Networks of other channels in drawn_steps.jsonl and range_steps.jsonl: the slowest of 32 took 1.46 times as long,
  // the fastest 0.81.
  constexpr double kFaster = 0.2;
  constexpr double kSlower = 0.5;
  return {spread.low * (1.0 - kFaster * unmeasured), spread.high * (1.0 + kSlower * unmeasured)};
}

bool waits_for_host(double step, double device) {
  constexpr double kIdle = 1.05;
  return step > kIdle * device;
}

}  // namespace vggplan::timing
