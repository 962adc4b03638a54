// SPDX-License-Identifier: MIT
// Which ops share one measured curve: same kernel family, same channels; they differ in size alone.
#pragma once

#include <compare>
#include <cstdint>

#include "vggplan/base/dtype.hpp"
#include "vggplan/timing/op.hpp"

namespace vggplan::timing {

/// Kernels differ where PyTorch or cuDNN switch implementation.
enum class Variant {
  usual,
  one_image,  ///< contiguous NCHW: with one image a channel is one run of memory; cuDNN has kernels of its own for one
  one_pixel,  ///< outputs of a Linear layer: a reduction over images alone
  huge,       ///< more than 2^31 elements: 64-bit indices, or another kernel altogether
  huge_narrow,  ///< the same of a batch norm with parameters of 16 bits, which takes another kernel
  fused,        ///< optimizer in one kernel
  single,       ///< optimizer tensor by tensor
  few_images,   ///< other kernels: input gradients of fewer than 8 images in true fp32, batch norm of two in bfloat16
  small_map,    ///< convolutions of few channels on maps below 114 x 114 or so
  ragged,       ///< the same where 64 does not divide the pixels of all images; 1x1 convolutions of contiguous maps
                ///< whose rows of pixels no 16 bytes divide
  turned,       ///< a copy from one layout to the other and back, around a convolution
};

struct ShapeClass {
  OpKind kind{};
  base::MathMode math{};
  std::int64_t element_bytes{};
  base::Layout layout{};
  std::int64_t channels{};  ///< 0: any
  std::int64_t outputs{};   ///< 0: any
  Variant variant{Variant::usual};
  Filter filter{};  ///< without the size of the output; of groups kAlone, or 2 for all other numbers of them
  auto operator<=>(const ShapeClass&) const = default;
};

/// Groups of a class whose filters take each channel alone: depthwise convolutions and pools.
inline constexpr std::int64_t kAlone = 0;

ShapeClass classify(const Op& op);

/// Whether it is a convolution of another filter than VGG's. Its curves are drawn over its work, by octaves of the
/// narrower side's channels, since many widths have few measurements each.
bool has_other_filter(const ShapeClass& shape);

/// Whether tensor cores take the convolution as a product of matrices, tile by tile: in channels_last whatever the
/// layout, on channels that 16 bytes divide. Few channels, true fp32 and images above 2^31 elements go to other
/// kernels.
bool runs_in_tiles(const ShapeClass& shape);

/// Ops that do nothing but stream memory, so that bytes and the cache say all.
bool is_streaming(OpKind kind);

/// What a curve is drawn over: images for Linear, bytes that would take as long for convolutions of other filters than
/// VGG's, pixels of all images for the rest.
double curve_size(const Op& op);

/// A thread walks each window of the channels_last adaptive pool: the time is that of one image.
bool runs_images_side_by_side(const Op& op);

/// Distinct bytes that a streaming op touches: an in-place op reads and writes the same ones.
double footprint(const Op& op);

/// Distance between two classes, to find the nearest where none is equal; infinite where the kernels
/// have nothing in common.
double distance(const ShapeClass& a, const ShapeClass& b);

}  // namespace vggplan::timing
