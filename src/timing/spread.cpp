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

// Input gradients of few channels, 16 bits, contiguous maps: 1,400 measured on an H200 (convolutions_3.jsonl). The slow
// kernel takes the images one after another, so that it is 10 to 26 times as slow for one image and no slower for 30.
Wavering wavering(const Op& op, double seconds) {
  constexpr std::int64_t kNarrow = 40;
  constexpr double kFastPixels = 2.4e6;    // above, the fast kernel alone was seen
  constexpr double kSlowSeconds = 0.2e-9;  // a pixel of the map and channel
  const Extent& e = op.extent;
  const auto map = static_cast<double>(e.h) * static_cast<double>(e.w);
  const std::int64_t channels = std::max(e.c, e.k);
  const bool found = op.kind == OpKind::conv_input_grad && op.layout == base::Layout::nchw &&
                     base::size_of(op.type) == 2 && channels <= kNarrow && static_cast<double>(e.n) * map < kFastPixels;
  return found ? Wavering{seconds, std::max(seconds, kSlowSeconds * map * static_cast<double>(channels))} : Wavering{};
}

Spread widened(Spread spread, const Wavering& either, double device) {
  constexpr double kFaster = 0.75;  // what is modelled lies between the two
  const double share = 1.0 / std::max(device, 1e-12);
  return {spread.low * (1.0 - kFaster * either.seconds * share),
          spread.high * (1.0 + (either.slow - either.seconds) * share)};
}

bool waits_for_host(double step, double device) {
  constexpr double kIdle = 1.05;
  return step > kIdle * device;
}

}  // namespace vggplan::timing
