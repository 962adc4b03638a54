// SPDX-License-Identifier: MIT
// Buffers of PyTorch's own sums.
#include <algorithm>
#include <bit>

#include "vggplan/base/checked.hpp"
#include "vggplan/lowering/workspace.hpp"

namespace vggplan::lowering {

namespace {

constexpr std::int64_t power_of_two_below(std::int64_t value) {
  return static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(value)));
}

/// The launch shape of one reduction: names and arithmetic as in Reduce.cuh.
struct ReductionShape {
  std::int64_t outputs{};
  std::int64_t inputs{};  ///< per output
  /// The fastest dimension is reduced (NCHW), by loads of several values, which no sum that is split would show; else
  /// outputs lie side by side (NHWC).
  bool along_input{};
  std::int64_t vector{1};  ///< outputs per thread (NHWC)
};

/// Outputs that lie side by side: a thread takes up to four of them.
ReductionShape side_by_side(std::int64_t outputs, std::int64_t inputs) {
  const std::int64_t vector = outputs % 4 == 0 ? 4 : outputs % 2 == 0 ? 2 : 1;
  return {outputs, inputs, false, vector};
}

constexpr std::int64_t kMaxThreads = 512;
constexpr std::int64_t kWarp = 32;
constexpr std::int64_t kMinValues = 16;
constexpr std::int64_t kMaxValues = 256;
constexpr std::int64_t kAccumulator = 4;  // sums are kept in fp32

ReductionBuffers buffers_of(const ReductionShape& shape, const Device& device) {
  const std::int64_t dim0 = shape.along_input ? shape.inputs : shape.outputs / shape.vector;
  const std::int64_t dim1 = shape.along_input ? shape.outputs : shape.inputs;
  const std::int64_t most = kMaxThreads / shape.vector;
  const std::int64_t d0 = std::min(power_of_two_below(dim0), most);
  const std::int64_t d1 = std::min(power_of_two_below(dim1), most);
  const std::int64_t narrow = std::min(d0, kWarp);
  const std::int64_t height = std::min(d1, most / narrow);
  const std::int64_t width = std::min(d0, most / height);
  // A sum that is split over blocks was divided among the rows of a block before.
  const std::int64_t step_in = (shape.along_input ? width : 1) * height;
  const std::int64_t step_out = shape.along_input ? 1 : width;
  const std::int64_t grid = base::ceil_div(shape.outputs / shape.vector, step_out);
  const std::int64_t target = device.sm_count * (device.threads_per_sm / (width * height));
  const std::int64_t per_thread = base::ceil_div(shape.inputs, step_in);
  if (per_thread < kMaxValues || grid > target) {
    return {};
  }
  const std::int64_t blocks = std::max(std::min(base::ceil_div(target, grid), base::ceil_div(per_thread, kMinValues)),
                                       base::ceil_div(per_thread, kMaxValues));
  if (blocks <= 1) {
    return {};
  }
  const std::int64_t lanes = shape.along_input ? 1 : width * shape.vector;
  return {kAccumulator * shape.outputs * blocks * lanes, kAccumulator * grid, 1};
}

}  // namespace

ReductionBuffers bias_reduction(const Convolution& conv, const Device& device) {
  constexpr std::int64_t kOffsetLimit = base::kLargestInt32;  // TensorIterator: byte offsets fit, or it splits
  ReductionShape shape{conv.out_channels, conv.pixels_out(), true};
  const bool nhwc = conv.layout == base::Layout::nhwc && conv.pixels_out() > conv.images;
  if (nhwc) {
    shape = side_by_side(shape.outputs, shape.inputs);
  }
  // The dimension with the largest stride is halved until offsets fit: channels (N = 1, NCHW), else images or rows.
  std::int64_t pieces = 1;
  std::int64_t bytes = conv.out_channels * conv.pixels_out() * conv.element_bytes;
  std::int64_t& halved = !nhwc && conv.images == 1 ? shape.outputs : shape.inputs;
  while (bytes > kOffsetLimit) {
    halved = base::ceil_div(halved, 2);
    bytes = base::ceil_div(bytes, 2);
    pieces *= 2;
  }
  ReductionBuffers buffers = buffers_of(shape, device);
  buffers.pieces = pieces;
  buffers.between = pieces > 1 && conv.element_bytes < kAccumulator ? kAccumulator * conv.out_channels : 0;
  return buffers;
}

ReductionBuffers mean_reduction(std::int64_t channels, std::int64_t pixels, base::Layout layout, const Device& device) {
  if (layout == base::Layout::nhwc) {
    return buffers_of(side_by_side(channels, pixels), device);
  }
  return buffers_of({channels, pixels, true}, device);
}

ReductionBuffers linear_bias_reduction(std::int64_t features, std::int64_t images, const Device& device) {
  return buffers_of(side_by_side(features, images), device);
}

NormBuffers batch_norm_staging(std::int64_t channels, std::int64_t pixels) {
  constexpr std::int64_t kPerThread = 16;
  constexpr std::int64_t kTile = 32;
  constexpr std::int64_t kMostRows = 128;
  constexpr std::int64_t kFewestRows = 8;
  const std::int64_t narrow = std::min(power_of_two_below(channels), kTile);
  const std::int64_t height = std::min(power_of_two_below(base::ceil_div(pixels, kPerThread)), kMaxThreads / narrow);
  const std::int64_t width = std::min(power_of_two_below(channels), kMaxThreads / height);
  const std::int64_t rows = std::min(base::ceil_div(pixels, height * kPerThread), kMostRows);
  if (rows < kFewestRows) {
    return {};
  }
  return {4 * channels * rows * kAccumulator, 2 * channels * rows * kAccumulator,
          base::ceil_div(channels, width) * kAccumulator};
}

}  // namespace vggplan::lowering
