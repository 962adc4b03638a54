// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "vggplan/base/names.hpp"

namespace vggplan::base {

/// Element types that a training step stores.
enum class DType { f32, f16, bf16, i64, u8 };

constexpr std::int64_t size_of(DType type) {
  switch (type) {
    case DType::f32: return 4;
    case DType::f16:
    case DType::bf16: return 2;
    case DType::i64: return 8;
    case DType::u8: return 1;
  }
  return 0;
}

/// How the multiplications of an operation are done: the unit of the GPU that runs them.
enum class MathMode { fp32, tf32, fp16, bf16 };

/// Order of the dimensions in memory: contiguous, or channels_last of model and input.
enum class Layout { nchw, nhwc };

}  // namespace vggplan::base
