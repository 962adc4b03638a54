// SPDX-License-Identifier: MIT
// Settings of a job that decide what it takes as well: rooms that do not know jobs know them.
#pragma once

namespace vggplan::base {

/// How GPUs share parameters and the work of the optimizer.
enum class Sharding {
  ddp,    ///< every GPU holds everything; gradients are averaged
  zero1,  ///< the same with the optimizer's state spread over the GPUs
  fsdp2,  ///< parameters, gradients and state are spread
};
/// What walks the tensors of an optimizer.
enum class OptimizerImpl { foreach, fused, loop };
/// JPEG of quality 90, PNG of compression level 6, TIFF uncompressed, raw: one byte a sample, no header.
enum class ImageFormat { jpeg, png, tiff, raw };
enum class Pipeline {
  pil_float,  ///< PIL decode, ToTensor and Normalize in the worker
  tv_uint8,   ///< torchvision decode in the worker, float and Normalize on the GPU
  nvjpeg,     ///< decode on the GPU
};

}  // namespace vggplan::base
