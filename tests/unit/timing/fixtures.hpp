// SPDX-License-Identifier: MIT
// A made-up GPU with round figures, so that times can be worked out by hand; the names that these tests use.
#pragma once

#include "support/catch.hpp"
#include "vggplan/hardware/hardware.hpp"
#include "vggplan/timing/calibration.hpp"
#include "vggplan/timing/op.hpp"

namespace vggplan::timing {

using base::DType;
using base::Layout;
using base::MathMode;
using Catch::Detail::Approx;

inline hardware::Gpu round_gpu() {
  hardware::Gpu gpu;
  gpu.name = "round";
  gpu.architecture = "Hopper";
  gpu.sm_count = 100;
  gpu.boost_clock_mhz = 1000;
  gpu.l2_cache = base::Bytes(10'000'000);
  gpu.memory_bandwidth = base::BytesPerSecond(1e12);
  gpu.fp32 = base::FlopsPerSecond(1e13);
  gpu.tf32_tensor = base::FlopsPerSecond(1e14);
  gpu.fp16_tensor = base::FlopsPerSecond(2e14);
  gpu.bf16_tensor = base::FlopsPerSecond(2e14);
  return gpu;
}

inline Op relu(std::int64_t elements, base::Phase phase = base::Phase::forward) {
  Op op =
      make_op(OpKind::relu_forward, base::MathMode::fp32, base::DType::f32, base::Layout::nchw, {elements, 1, 1, 1, 1});
  op.phase = phase;
  return op;
}

inline Op convolution(OpKind kind, const Extent& extent, base::Layout layout = base::Layout::nhwc) {
  return make_op(kind, base::MathMode::tf32, base::DType::f32, layout, extent);
}

/// ReLU streams at 1e11 (cached 1e12) bytes a second and starts in 1 us; nothing else is known.
inline Calibration round_calibration() {
  Calibration calibration;
  calibration.gpu = "round";
  calibration.l2_cache = base::Bytes(10'000'000);
  calibration.streams.push_back({classify(relu(1)), 1e-6, base::BytesPerSecond(1e12), base::BytesPerSecond(1e11)});
  return calibration;
}

}  // namespace vggplan::timing
