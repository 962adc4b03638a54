// SPDX-License-Identifier: MIT
#include "timing/tiles.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "vggplan/base/checked.hpp"

namespace vggplan::timing {
namespace {

constexpr std::int64_t kVector = 16;  // bytes that a thread loads at a time

/// Channels in whole tiles; up to one tile there are kernels of narrower ones.
std::int64_t in_tiles(std::int64_t channels, std::int64_t tile, std::int64_t narrow) {
  return base::round_up(channels, channels > tile ? tile : narrow);
}

/// Channels of the result are columns of tiles of 128, or of 64; those that are summed over are taken 32 at a time. The
/// gradient of the weights has either as a side of its tiles.
double tiled_channels(OpKind kind, std::int64_t in, std::int64_t out) {
  constexpr std::int64_t kTile = 128;
  constexpr std::int64_t kHalf = 64;
  constexpr std::int64_t kSlice = 32;
  const std::int64_t columns = kind == OpKind::conv_input_grad ? in : out;
  const std::int64_t rest = kind == OpKind::conv_input_grad ? out : in;
  const std::int64_t deep =
      kind == OpKind::conv_weight_grad ? in_tiles(rest, kTile, kSlice) : base::round_up(rest, kSlice);
  return static_cast<double>(in_tiles(columns, kTile, kHalf) * deep);
}

/// By how much longer cuDNN's choice of a kernel takes than those for powers of two channels, in the mean over 2,300
/// convolutions of each kind: there is no kernel for just these channels, and an odd number of vectors keeps the
/// fastest away altogether.
double other_kernel(OpKind kind, std::int64_t in, std::int64_t out, std::int64_t size) {
  constexpr double kBetween = 1.08;
  constexpr double kOddForward = 1.35;
  constexpr double kOddInputGrad = 1.4;
  constexpr double kOddWeightGrad = 1.25;
  const auto is_power = [](std::int64_t width) { return std::has_single_bit(static_cast<std::uint64_t>(width)); };
  if (is_power(in) && is_power(out)) {
    return 1.0;
  }
  if (in * size % (2 * kVector) == 0 && out * size % (2 * kVector) == 0) {
    return kBetween;
  }
  return kind == OpKind::conv_forward ? kOddForward : kind == OpKind::conv_input_grad ? kOddInputGrad : kOddWeightGrad;
}

}  // namespace

std::int64_t whole_vectors(std::int64_t channels, std::int64_t element_bytes) {
  return base::round_up(channels, kVector / element_bytes);
}

Product tiled_product(const Op& op) {
  const std::int64_t size = base::size_of(op.type);
  const std::int64_t in = whole_vectors(op.extent.c, size);
  const std::int64_t out = whole_vectors(op.extent.k, size);
  const auto read = static_cast<double>(op.extent.n * pixels_in(op));
  const auto made = static_cast<double>(op.extent.n * pixels_out(op));
  const std::int64_t taps = op.filter.taps();
  Product product;
  product.flops = 2.0 * static_cast<double>(taps) * (op.filter.transposed ? read : made) *
                  tiled_channels(op.kind, in, out) * other_kernel(op.kind, in, out, size);
  product.bytes = static_cast<double>(size) * (read * static_cast<double>(in) + made * static_cast<double>(out) +
                                               static_cast<double>(taps * in * out));
  return product;
}

Product product_of(const Op& op) {
  if (op.filter.groups == 1) {
    return tiled_product(op);
  }
  if (op.filter.groups != op.extent.c) {
    return {op.flops.as_double(), op.bytes().as_double()};
  }
  const bool back = op.kind == OpKind::conv_input_grad;
  const std::int64_t results = op.extent.n * op.extent.c * (back ? pixels_in(op) : pixels_out(op));
  return {0.0, static_cast<double>(results * op.filter.taps() * base::size_of(op.type))};
}

Copies copies_of(const Op& op) {
  constexpr std::int64_t kRow = 32;  // pixels that a block turns at a time, or taps of a weight
  constexpr double kPadRate = 0.55;  // of the rate of turning
  const std::int64_t size = base::size_of(op.type);
  const bool turn = op.layout == base::Layout::nchw;
  Copies copies;
  bool padded = false;
  for (const auto& [channels, pixels] :
       {std::pair{op.extent.c, pixels_in(op)}, std::pair{op.extent.k, pixels_out(op)}}) {
    const auto rows = static_cast<double>(op.extent.n * (turn ? base::round_up(pixels, kRow) : pixels));
    const std::int64_t whole = whole_vectors(channels, size);
    const bool pad = whole != channels;
    padded = padded || pad;
    copies.bytes += pad || turn ? rows * static_cast<double>(2 * whole * size) / (pad ? kPadRate : 1.0) : 0.0;
  }
  copies.starts = (turn || padded ? 1.0 : 0.0) + (padded ? 1.0 : 0.0);
  if (copies.starts > 0.0) {
    copies.bytes += static_cast<double>(2 * base::round_up(op.filter.taps(), kRow) * whole_vectors(op.extent.c, size) *
                                        whole_vectors(op.extent.k, size) * size);
  }
  return copies;
}

}  // namespace vggplan::timing
