// SPDX-License-Identifier: MIT
// Memory that library calls take for themselves: cuDNN's convolution workspaces and the partial sums
// of PyTorch's reductions.
#pragma once

#include <cstdint>
#include <vector>

#include "vggplan/lowering/framework.hpp"
#include "vggplan/timing/op.hpp"

namespace vggplan::lowering {

/// `height` and `width` are those of the input; the output has the same where the filter does not say otherwise.
struct Convolution {
  std::int64_t images{};
  std::int64_t in_channels{};
  std::int64_t out_channels{};
  std::int64_t height{};
  std::int64_t width{};
  std::int64_t element_bytes{4};
  base::MathMode math{base::MathMode::tf32};
  base::Layout layout{base::Layout::nchw};
  timing::Filter filter{};

  [[nodiscard]] std::int64_t pixels_in() const { return images * height * width; }
  [[nodiscard]] std::int64_t pixels_out() const {
    return filter.out_height > 0 ? images * filter.out_height * filter.out_width : pixels_in();
  }
};

/// Workspaces of the plans that cuDNN offers for one pass, in the order in which they are tried;
/// the last needs none. See WorkspaceRule.
std::vector<std::int64_t> workspace_plans(const Framework& framework, ConvPass pass, const Convolution& convolution,
                                          const Device& device);

/// Workspaces that cudnn.benchmark may try for the pass, largest first; the largest that fits is taken.
std::vector<std::int64_t> benchmark_plans(const Framework& framework, ConvPass pass, const Convolution& convolution);

/// Copies of input, output and weight in another layout.
std::int64_t operand_copies(const Convolution& convolution);

/// Workspace of cuDNN's FFT algorithm: spectra of the filter (twice), the input and the output, 8 bytes a
/// complex number, padded to a power of two of at least 16. It runs on NCHW operands: those of channels_last are
/// copied. 0 where the algorithm does not run: 16-bit operands, and maps whose padded side passes 256 (cuDNN's
/// documented limit). Measured to within 1 % on an H200.
std::int64_t fft_workspace(const Convolution& convolution);

/// Global buffers of a sum over images and pixels (the gradient of a bias), which are taken and
/// freed at once: partial sums, then a counter per block column. Zero where one block does it all.
/// aten/src/ATen/native/cuda/Reduce.cuh, setReduceConfig.
struct ReductionBuffers {
  std::int64_t partial_sums{0};
  std::int64_t counters{0};
  std::int64_t pieces{1};   ///< how often: a tensor beyond 32-bit offsets is reduced in pieces
  std::int64_t between{0};  ///< fp32 sums that 16-bit pieces add up in, held until the last (AccumulationBuffer)
};
ReductionBuffers bias_reduction(const Convolution& convolution, const Device& device);

/// The same for a mean over the pixels of each of `channels` in all images (a 1x1 adaptive pool).
ReductionBuffers mean_reduction(std::int64_t channels, std::int64_t pixels, base::Layout layout, const Device& device);

/// The same for the sum over the images of a linear layer's outgoing gradient (the gradient of its bias).
ReductionBuffers linear_bias_reduction(std::int64_t features, std::int64_t images, const Device& device);

/// Partial statistics of PyTorch's own batch norm for channels_last tensors, taken and freed at once.
/// aten/src/ATen/native/cuda/Normalization.cuh, flexible_launch_configs.
struct NormBuffers {
  std::int64_t forward{0};
  std::int64_t backward{0};
  std::int64_t counters{0};
};
NormBuffers batch_norm_staging(std::int64_t channels, std::int64_t pixels);

}  // namespace vggplan::lowering
