// SPDX-License-Identifier: MIT
#include "vggplan/timing/shape_class.hpp"

#include <algorithm>
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

bool is_batch_norm(OpKind kind) {
  return kind == OpKind::batch_norm_forward || kind == OpKind::batch_norm_inference ||
         kind == OpKind::batch_norm_backward;
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
bool has_few_channels(const Op& op) {
  return op.math != base::MathMode::fp32 && std::min(op.extent.c, op.extent.k) <= kFewChannels;
}

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

Variant variant_of(const Op& op) {
  if (op.kind == OpKind::bias_grad && op.extent.h * op.extent.w == 1) {
    return Variant::one_pixel;
  }
  if (op.kind == OpKind::bias_add || op.kind == OpKind::bias_grad) {
    return op.layout == base::Layout::nchw && op.extent.n == 1 ? Variant::one_image : Variant::usual;
  }
  if (is_huge(op)) {
    return Variant::huge;
  }
  if (op.kind == OpKind::batch_norm_forward && op.type == base::DType::bf16 && op.layout == base::Layout::nchw) {
    return variant_of_own_batch_norm(op);
  }
  if (is_convolution(op.kind)) {
    return op.math == base::MathMode::fp32 ? variant_of_true_fp32(op)
           : has_few_channels(op)          ? variant_of_few_channels(op)
                                           : Variant::usual;
  }
  if (op.kind == OpKind::optimizer && op.loop != OptimizerLoop::foreach) {
    return op.loop == OptimizerLoop::fused ? Variant::fused : Variant::single;
  }
  return Variant::usual;
}

double octaves(std::int64_t a, std::int64_t b) {
  return a == b ? 0.0
                : std::abs(std::log2(static_cast<double>(std::max<std::int64_t>(a, 1)) /
                                     static_cast<double>(std::max<std::int64_t>(b, 1))));
}

}  // namespace

bool is_streaming(OpKind kind) {
  switch (kind) {
    case OpKind::bias_add:
    case OpKind::relu_forward:
    case OpKind::relu_backward:
    case OpKind::dropout_forward:
    case OpKind::dropout_backward:
    case OpKind::loss_forward:
    case OpKind::loss_backward:
    case OpKind::cast:
    case OpKind::fill:
    case OpKind::copy:
    case OpKind::grad_accumulate:
    case OpKind::optimizer:
    case OpKind::grad_unscale:
    case OpKind::host_read:
    case OpKind::checkpoint: return true;
    case OpKind::conv_forward:
    case OpKind::conv_input_grad:
    case OpKind::conv_weight_grad:
    case OpKind::linear_forward:
    case OpKind::linear_input_grad:
    case OpKind::linear_weight_grad:
    case OpKind::bias_grad:
    case OpKind::max_pool_forward:
    case OpKind::max_pool_backward:
    case OpKind::avg_pool_forward:
    case OpKind::avg_pool_backward:
    case OpKind::batch_norm_forward:
    case OpKind::batch_norm_inference:
    case OpKind::batch_norm_backward: return false;
  }
  return true;
}

ShapeClass classify(const Op& op) {
  ShapeClass shape;
  shape.kind = op.kind;
  shape.element_bytes = base::size_of(op.type);
  shape.variant = variant_of(op);
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
  const bool by_layout = !is_streaming(op.kind) || op.kind == OpKind::bias_add;
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

bool runs_in_tiles(const ShapeClass& shape) {
  return is_convolution(shape.kind) && shape.math != base::MathMode::fp32 && shape.variant == Variant::usual &&
         std::min(shape.channels, shape.outputs) > kFewChannels;
}

double curve_size(const Op& op) {
  const Extent& e = op.extent;
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

double distance(const ShapeClass& a, const ShapeClass& b) {
  if (a.kind != b.kind) {
    return std::numeric_limits<double>::infinity();
  }
  // The unit that multiplies and the size of an element say more than the variant, that more than the layout, that more
  // than channels; the weights only have to keep this order.
  const bool as_wide = a.element_bytes == b.element_bytes;
  double d = (as_wide ? 0.0 : 1000.0) + (a.layout == b.layout ? 0.0 : 100.0) + (a.variant == b.variant ? 0.0 : 150.0);
  d += a.math == b.math ? 0.0 : as_wide && a.element_bytes == 2 ? 30.0 : 2000.0;
  d += runs_in_tiles(a) == runs_in_tiles(b) ? 0.0 : 10.0;
  return d + octaves(a.channels, b.channels) + octaves(a.outputs, b.outputs);
}

}  // namespace vggplan::timing
