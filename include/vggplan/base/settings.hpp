// SPDX-License-Identifier: MIT
// Settings of a job that decide what it takes as well: rooms that do not know jobs know them.
#pragma once

#include <array>

#include "vggplan/base/names.hpp"

namespace vggplan::base {

/// How GPUs share parameters and the work of the optimizer.
enum class Sharding { ddp, zero1, fsdp2 };
/// What walks the tensors of an optimizer.
enum class OptimizerImpl { foreach, fused, loop };
enum class ImageFormat { jpeg, png, tiff, raw };
enum class Pipeline { pil_float, tv_uint8, nvjpeg };

template <>
struct NameTable<Sharding> {
  static constexpr std::array<Named<Sharding>, 3> table{{
      {Sharding::ddp, "ddp", "every GPU holds everything; gradients are averaged"},
      {Sharding::zero1, "zero1", "DDP with optimizer state spread over the GPUs"},
      {Sharding::fsdp2, "fsdp2", "parameters, gradients and state spread over the GPUs"},
  }};
};
template <>
struct NameTable<OptimizerImpl> {
  static constexpr std::array<Named<OptimizerImpl>, 3> table{{
      {OptimizerImpl::foreach, "foreach", "PyTorch's default on CUDA"},
      {OptimizerImpl::fused, "fused", "one kernel, no temporaries"},
      {OptimizerImpl::loop, "loop", "one parameter at a time (foreach=False)"},
  }};
};
template <>
struct NameTable<ImageFormat> {
  static constexpr std::array<Named<ImageFormat>, 4> table{{
      {ImageFormat::jpeg, "jpeg", "JPEG, quality 90"},
      {ImageFormat::png, "png", "PNG, compression level 6"},
      {ImageFormat::tiff, "tiff", "TIFF, uncompressed"},
      {ImageFormat::raw, "raw", "one byte per sample, no header"},
  }};
};
template <>
struct NameTable<Pipeline> {
  static constexpr std::array<Named<Pipeline>, 3> table{{
      {Pipeline::pil_float, "pil-float", "PIL decode, ToTensor and Normalize in the worker"},
      {Pipeline::tv_uint8, "tv-uint8", "torchvision decode in the worker, float and Normalize on the GPU"},
      {Pipeline::nvjpeg, "nvjpeg", "decode on the GPU"},
  }};
};

}  // namespace vggplan::base
