// SPDX-License-Identifier: MIT
#include "vggplan/timing/shape_class.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "timing/kernel_work.hpp"
#include "timing/tiles.hpp"
#include "vggplan/base/checked.hpp"

namespace vggplan::timing {
namespace {

constexpr std::int64_t kFewChannels = 16;

double elements(const Extent& e) {
  return static_cast<double>(e.n) * static_cast<double>(e.c) * static_cast<double>(e.h) * static_cast<double>(e.w);
}

/// Whether 32 bits do not number the elements that one call works on: cuDNN takes a batch of convolutions in parts that
/// they do, but not an image.
bool is_huge(const Op& op) {
  Extent e = op.extent;
  if (is_convolution(op.kind)) {
    e.n = 1;
    e.c = std::max(e.c, e.k);
  } else if (op.kind != OpKind::max_pool_forward && op.kind != OpKind::max_pool_backward && !is_batch_norm(op.kind)) {
    return false;
  }
  return elements(e) > static_cast<double>(base::kLargestInt32);
}

bool is_average_pool(OpKind kind) { return kind == OpKind::avg_pool_forward || kind == OpKind::avg_pool_backward; }

/// Channels that tensor cores gain little from: cuDNN has kernels of many kinds for them.
bool has_few_channels(const Op& op) { return std::min(op.extent.c, op.extent.k) <= kFewChannels; }

/// What cuDNN's heuristics switch by, read from 3,600 first layers: two- or threefold in time.
Variant variant_of_few_channels(const Op& op) {
  constexpr std::int64_t kSmallMap = 13000;  // pixels: between 11,800 and 15,300
  constexpr std::int64_t kRun = 64;          // pixels
  const bool wide = base::size_of(op.type) == 4;
  const bool contiguous = op.layout == base::Layout::nchw;
  const std::int64_t map = op.extent.h * op.extent.w;
  if (op.kind == OpKind::conv_weight_grad && wide) {
    return op.extent.n == 1 ? Variant::one_image : Variant::usual;
  }
  if (op.kind == OpKind::conv_forward && !wide && contiguous) {
    return op.extent.n * map % kRun != 0 ? Variant::ragged : Variant::usual;
  }
  const bool by_map = op.kind == OpKind::conv_weight_grad || (op.kind == OpKind::conv_forward && !contiguous);
  return by_map && map < kSmallMap ? Variant::small_map : Variant::usual;
}

/// An input gradient of few images takes five times as long: read from 520 of them.
Variant variant_of_true_fp32(const Op& op) {
  constexpr std::int64_t kFewImages = 8;
  return op.kind == OpKind::conv_input_grad && op.extent.n < kFewImages ? Variant::few_images : Variant::usual;
}

/// PyTorch's own kernel for contiguous maps, which bfloat16 goes to, gives a channel to a block: one image keeps it
/// half as long again, of 64 channels and one image 29 ps an element against 18.
Variant variant_of_own_batch_norm(const Op& op) {
  return op.extent.n == 1 ? Variant::one_image : op.extent.n == 2 ? Variant::few_images : Variant::usual;
}

/// Without what the curves run over or too few measurements tell apart. Pools take each channel alone; VGG's is as good
/// as none.
Filter filter_of(const Op& op) {
  Filter filter = op.filter;
  filter.out_height = filter.out_width = 0;
  if (!is_convolution(op.kind)) {
    const bool pool = op.kind == OpKind::max_pool_forward || op.kind == OpKind::max_pool_backward ||
                      op.kind == OpKind::average_pool_forward || op.kind == OpKind::average_pool_backward;
    const bool vgg = op.filter.out_height == 0 || filter == Filter{2, 2, 2};
    filter.groups = kAlone;
    return pool && !vgg ? filter : Filter{};
  }
  if (filter.groups > 1 && filter.groups == op.extent.c) {
    Filter depthwise;
    depthwise.groups = kAlone;
    return depthwise;
  }
  filter.groups = std::min<std::int64_t>(filter.groups, 2);
  return filter;
}

/// A 1x1 convolution of a contiguous map is a product of matrices as they lie, if vectors of 16 bytes take the pixels.
Variant variant_of_other_filter(const Op& op) {
  constexpr std::int64_t kVector = 16;
  const bool as_it_lies = op.layout == base::Layout::nchw && op.filter.taps() == 1 && op.filter.stride == 1;
  return as_it_lies && pixels_in(op) * base::size_of(op.type) % kVector != 0 ? Variant::ragged : Variant::usual;
}

/// Channels that tell classes of other filters apart; groups were measured too seldom.
std::int64_t octave_of_channels(const Op& op) {
  constexpr std::uint64_t kWide = 256;
  if (op.filter.groups > 1) {
    return 0;
  }
  const std::int64_t narrow = std::min(op.extent.c, op.extent.k);
  return static_cast<std::int64_t>(std::min(kWide, std::bit_ceil(static_cast<std::uint64_t>(narrow))));
}

Variant variant_of(const Op& op) {
  if (op.kind == OpKind::bias_grad && op.extent.h * op.extent.w == 1) {
    return Variant::one_pixel;
  }
  if (op.kind == OpKind::bias_add || op.kind == OpKind::bias_grad) {
    return op.layout == base::Layout::nchw && op.extent.n == 1 ? Variant::one_image : Variant::usual;
  }
  if (is_huge(op)) {
    return op.narrow_parameters ? Variant::huge_narrow : Variant::huge;
  }
  if (op.kind == OpKind::batch_norm_forward && op.type == base::DType::bf16 && op.layout == base::Layout::nchw) {
    return variant_of_own_batch_norm(op);
  }
  if (is_convolution(op.kind) && filter_of(op) != Filter{}) {
    return variant_of_other_filter(op);
  }
  if (is_convolution(op.kind)) {
    return op.math == base::MathMode::fp32 ? variant_of_true_fp32(op)
           : has_few_channels(op)          ? variant_of_few_channels(op)
                                           : Variant::usual;
  }
  if (op.kind == OpKind::optimizer && op.impl != base::OptimizerImpl::foreach) {
    return op.impl == base::OptimizerImpl::fused ? Variant::fused : Variant::single;
  }
  return Variant::usual;
}

double octaves(std::int64_t a, std::int64_t b) {
  return a == b ? 0.0
                : std::abs(std::log2(static_cast<double>(std::max<std::int64_t>(a, 1)) /
                                     static_cast<double>(std::max<std::int64_t>(b, 1))));
}

/// Passes whose pace depends on how the map lies.
bool keeps_layout(OpKind kind) {
  constexpr std::array kKinds{
      OpKind::average_pool_forward, OpKind::average_pool_backward, OpKind::multiply,           OpKind::concatenate,
      OpKind::slice_copy,           OpKind::slice_relu_backward,   OpKind::nearest_forward,    OpKind::nearest_backward,
      OpKind::bilinear_forward,     OpKind::bilinear_backward,     OpKind::pixel_loss_forward, OpKind::mse_backward,
      OpKind::smooth_l1_backward,   OpKind::multiply_reduce};
  return std::find(kKinds.begin(), kKinds.end(), kind) != kKinds.end();
}

}  // namespace

bool is_streaming(OpKind kind) {
  constexpr std::array kByShape{OpKind::bias_grad,           OpKind::max_pool_forward,     OpKind::max_pool_backward,
                                OpKind::avg_pool_forward,    OpKind::avg_pool_backward,    OpKind::batch_norm_forward,
                                OpKind::batch_norm_backward, OpKind::batch_norm_inference, OpKind::layer_norm_forward,
                                OpKind::layer_norm_backward};
  return !is_convolution(kind) && !is_linear(kind) &&
         std::find(kByShape.begin(), kByShape.end(), kind) == kByShape.end();
}

ShapeClass classify(const Op& op) {
  ShapeClass shape;
  shape.kind = op.kind == OpKind::fused ? OpKind::relu_forward : op.kind;  // either streams what it touches, once
  shape.element_bytes = base::size_of(op.type);
  shape.variant = variant_of(op);
  shape.filter = filter_of(op);
  if (has_other_filter(shape)) {
    shape.layout = op.layout;
    shape.channels = octave_of_channels(op);
    // Both types of 16 bits have the same kernels, but for few channels.
    const bool alike = shape.element_bytes == 2 && shape.channels > kFewChannels;
    shape.math = alike ? base::MathMode::fp16 : op.math;
    return shape;
  }
  if (is_convolution(op.kind) || is_linear(op.kind)) {
    shape.math = op.math;
    shape.channels = op.extent.c;
    shape.outputs = op.extent.k;
    shape.layout = is_linear(op.kind) ? base::Layout::nchw : op.layout;
    if (runs_in_tiles(shape)) {
      shape.layout = base::Layout::nhwc;
      shape.channels = whole_vectors(shape.channels, shape.element_bytes);
      shape.outputs = whole_vectors(shape.outputs, shape.element_bytes);
    }
    return shape;
  }
  const bool by_layout = !is_streaming(op.kind) || op.kind == OpKind::bias_add || keeps_layout(op.kind);
  shape.layout = by_layout ? op.layout : base::Layout::nchw;
  if (op.kind == OpKind::optimizer) {  // told apart by the tensors that they stream
    const double elements = static_cast<double>(std::max<std::int64_t>(op.extent.n * shape.element_bytes, 1));
    shape.channels = std::llround(op.bytes().as_double() / elements);
  } else if (is_average_pool(op.kind)) {
    shape.outputs = op.extent.k;
  } else if (!is_streaming(op.kind)) {
    shape.channels = op.extent.c;
    // cuDNN takes float16; bfloat16 goes to PyTorch's own kernels, which are three times slower with channels_last.
    if (is_batch_norm(op.kind) && op.type == base::DType::f16) {
      shape.math = base::MathMode::fp16;
    }
  }
  return shape;
}

bool has_other_filter(const ShapeClass& shape) { return is_convolution(shape.kind) && shape.filter != Filter{}; }

bool runs_in_tiles(const ShapeClass& shape) {
  return is_convolution(shape.kind) && shape.filter == Filter{} && shape.math != base::MathMode::fp32 &&
         shape.variant == Variant::usual && std::min(shape.channels, shape.outputs) > kFewChannels;
}

double curve_size(const Op& op) {
  const Extent& e = op.extent;
  if (is_convolution(op.kind) && filter_of(op) != Filter{}) {
    constexpr double kRidge = 412.0;  // FLOPs in the time of a byte, over the size of an element: H200
    const Product product = product_of(op);
    return std::max(product.flops * static_cast<double>(base::size_of(op.type)) / kRidge, product.bytes);
  }
  if (is_linear(op.kind)) {
    return static_cast<double>(e.n);
  }
  const double pixels = static_cast<double>(e.h) * static_cast<double>(e.w);
  if (runs_images_side_by_side(op)) {
    return pixels;
  }
  if (is_average_pool(op.kind) && e.k > 1) {
    return kernel_bytes(op) / static_cast<double>(base::size_of(op.type));
  }
  return static_cast<double>(e.n) * pixels;
}

bool runs_images_side_by_side(const Op& op) {
  return op.kind == OpKind::avg_pool_forward && op.layout == base::Layout::nhwc && op.extent.k > 1;
}

double footprint(const Op& op) {
  const bool in_place = op.kind == OpKind::bias_add || op.kind == OpKind::relu_forward;
  return op.bytes().as_double() / (in_place ? 2.0 : 1.0);
}

namespace {

double distance(const Filter& a, const Filter& b) {
  constexpr double kOtherKernels = 20.0;
  constexpr double kOthers = 10000.0;  // VGG's among themselves come first
  return octaves(a.taps(), b.taps()) + octaves(a.stride, b.stride) + octaves(a.dilation, b.dilation) +
         (a.groups == b.groups ? 0.0 : kOtherKernels) + (a.transposed == b.transposed ? 0.0 : kOtherKernels) +
         ((a == Filter{}) == (b == Filter{}) ? 0.0 : kOthers);
}

double distance(Variant a, Variant b) {
  const auto huge = [](Variant v) { return v == Variant::huge || v == Variant::huge_narrow; };
  return a == b ? 0.0 : huge(a) && huge(b) ? 75.0 : 150.0;
}

}  // namespace

double distance(const ShapeClass& a, const ShapeClass& b) {
  if (a.kind != b.kind || has_other_filter(a) != has_other_filter(b)) {
    return std::numeric_limits<double>::infinity();
  }
  // The unit that multiplies and the size of an element say more than the variant, that more than the layout, that more
  // than channels; the weights only have to keep this order.
  const bool as_wide = a.element_bytes == b.element_bytes;
  double d = (as_wide ? 0.0 : 1000.0) + (a.layout == b.layout ? 0.0 : 100.0) + distance(a.variant, b.variant);
  d += a.math == b.math ? 0.0 : as_wide && a.element_bytes == 2 ? 30.0 : 2000.0;
  d += runs_in_tiles(a) == runs_in_tiles(b) ? 0.0 : 10.0;
  d += distance(a.filter, b.filter);
  return d + octaves(a.channels, b.channels) + octaves(a.outputs, b.outputs);
}

}  // namespace vggplan::timing
