// SPDX-License-Identifier: MIT
#include "vggplan/job/job.hpp"

namespace vggplan::job {

using base::DType;
using base::MathMode;

DType activation_type(Precision precision) {
  switch (precision) {
    case Precision::fp32:
    case Precision::tf32: return DType::f32;
    case Precision::amp_bf16:
    case Precision::bf16: return DType::bf16;
    case Precision::amp_fp16:
    case Precision::fp16: return DType::f16;
  }
  return DType::f32;
}

DType parameter_type(Precision precision) { return is_autocast(precision) ? DType::f32 : activation_type(precision); }

MathMode convolution_math(Precision precision) {
  switch (precision) {
    case Precision::fp32: return MathMode::fp32;
    case Precision::tf32: return MathMode::tf32;
    case Precision::amp_bf16:
    case Precision::bf16: return MathMode::bf16;
    case Precision::amp_fp16:
    case Precision::fp16: return MathMode::fp16;
  }
  return MathMode::fp32;
}

MathMode linear_math(Precision precision) {
  return precision == Precision::tf32 ? MathMode::fp32 : convolution_math(precision);
}

Precision runs_as(Precision precision, const hardware::Gpu& gpu) {
  return precision == Precision::tf32 && !gpu.tf32_tensor ? Precision::fp32 : precision;
}

}  // namespace vggplan::job
