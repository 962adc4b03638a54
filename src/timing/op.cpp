// SPDX-License-Identifier: MIT
#include "vggplan/timing/op.hpp"

namespace vggplan::timing {
namespace {

using base::Bytes;
using base::Flops;

constexpr std::int64_t kIndexBytes = 8;  // max_pool2d keeps int64 indices
constexpr std::int64_t kMaskBytes = 1;
// A result in fp32 is cast from a half precision, and the other way round.
constexpr std::int64_t kFull = base::size_of(base::DType::f32);

/// Elements of the tensors that an op of this extent meets.
struct Counts {
  std::int64_t in{};       ///< n c h w
  std::int64_t out{};      ///< the same of k channels (convolution, Linear)
  std::int64_t weights{};  ///< of a convolution or Linear
  std::int64_t pooled{};   ///< output of a pool, or of what resizes
};

Counts count(const Op& op) {
  const Extent& e = op.extent;
  Counts counts;
  counts.in = e.n * e.c * e.h * e.w;
  counts.out = e.n * e.k * pixels_out(op);
  counts.weights = e.c * e.k * (is_convolution(op.kind) ? op.filter.taps() : 1) / op.filter.groups;
  counts.pooled = e.n * e.c * pixels_out(op);
  return counts;
}

/// Contiguous tensors are turned to channels_last and the result back, but for true fp32.
bool turns(const Op& op) {
  return is_convolution(op.kind) && op.layout == base::Layout::nchw && op.math != base::MathMode::fp32;
}

void set_product(Op& op, const Counts& counts, std::int64_t size) {
  op.flops = Flops(2 * counts.weights * op.extent.n * (op.filter.transposed ? pixels_in(op) : pixels_out(op)));
  op.read = Bytes((counts.in + counts.out + counts.weights) * size);
  op.kernels = turns(op) ? 5 : 2;
}

void set_traffic(Op& op) {
  const std::int64_t size = base::size_of(op.type);
  const Counts n = count(op);
  // The output of such a pool.
  const auto adaptive = [&] { return op.extent.n * op.extent.c * op.extent.k * op.extent.k * size; };
  const auto set = [&op](std::int64_t read, std::int64_t written, std::int64_t kernels = 1) {
    op.read = Bytes(read);
    op.written = Bytes(written);
    op.kernels = kernels;
  };
  switch (op.kind) {
    case OpKind::conv_forward:
    case OpKind::conv_input_grad:
    case OpKind::conv_weight_grad:
    case OpKind::linear_forward:
    case OpKind::linear_input_grad:
    case OpKind::linear_weight_grad: set_product(op, n, size); return;
    case OpKind::bias_add:
    case OpKind::relu_forward:
    case OpKind::relu6_forward:
    case OpKind::silu_forward:
    case OpKind::sigmoid_forward:
    case OpKind::gelu_forward:
    case OpKind::hard_swish_forward:
    case OpKind::multiply:
    case OpKind::concatenate:
    case OpKind::slice_copy:
    case OpKind::layer_norm_forward:
    case OpKind::batch_norm_inference:
    case OpKind::fused:
    case OpKind::optimizer:
    case OpKind::grad_unscale:
    case OpKind::copy: set(n.in * size, n.in * size); return;
    case OpKind::bias_grad: set(n.in * size, op.extent.c * size); return;
    case OpKind::relu_backward:
    case OpKind::relu6_backward:
    case OpKind::silu_backward:
    case OpKind::sigmoid_backward:
    case OpKind::gelu_backward:
    case OpKind::hard_swish_backward:
    case OpKind::add:
    case OpKind::slice_relu_backward:
    case OpKind::layer_norm_backward:
    case OpKind::mse_backward:
    case OpKind::smooth_l1_backward: set(2 * n.in * size, n.in * size); return;
    case OpKind::max_pool_forward: set(n.in * size, n.pooled * (size + kIndexBytes)); return;
    case OpKind::max_pool_backward:  // the output is filled with zeros first
      set(n.pooled * (size + kIndexBytes), 2 * n.in * size, 2);
      return;
    case OpKind::average_pool_forward:
    case OpKind::nearest_forward:
    case OpKind::bilinear_forward: set(n.in * size, n.pooled * size); return;
    case OpKind::average_pool_backward:
    case OpKind::nearest_backward:
    case OpKind::bilinear_backward: set(n.pooled * size, n.in * size); return;
    case OpKind::multiply_reduce:  // the product, or the differences, are written and read again
    case OpKind::mse_forward:
    case OpKind::smooth_l1_forward: set(3 * n.in * size, n.in * size, 2); return;
    case OpKind::avg_pool_forward: set(n.in * size, adaptive()); return;
    case OpKind::avg_pool_backward: set(adaptive(), n.in * size); return;
    case OpKind::batch_norm_forward: set(2 * n.in * size, n.in * size); return;
    case OpKind::batch_norm_backward: set(4 * n.in * size, n.in * size); return;
    case OpKind::dropout_forward: set(n.in * size, n.in * (size + kMaskBytes)); return;
    case OpKind::dropout_backward: set(n.in * (size + kMaskBytes), n.in * size); return;
    case OpKind::loss_forward:  // logarithms of the softmax; one of them a row is read
    case OpKind::pixel_loss_forward:
    case OpKind::loss_backward:
    case OpKind::pixel_loss_backward:
      set(2 * n.in * size, 2 * n.in * size);
      op.kernels = op.kind == OpKind::loss_forward || op.kind == OpKind::pixel_loss_forward ? 2 : 4;
      return;
    case OpKind::cast: set(n.in * (size == kFull ? kFull / 2 : kFull), n.in * size); return;
    case OpKind::fill: set(0, n.in * size); return;
    case OpKind::grad_accumulate: set(2 * n.in * size, n.in * size); return;
    case OpKind::host_read: set(size, size); return;
    case OpKind::compiled_call:
    case OpKind::checkpoint: op.kernels = 0; return;
  }
}

}  // namespace

bool is_convolution(OpKind kind) {
  return kind == OpKind::conv_forward || kind == OpKind::conv_input_grad || kind == OpKind::conv_weight_grad;
}

bool is_batch_norm(OpKind kind) {
  return kind == OpKind::batch_norm_forward || kind == OpKind::batch_norm_inference ||
         kind == OpKind::batch_norm_backward;
}

bool is_linear(OpKind kind) {
  return kind == OpKind::linear_forward || kind == OpKind::linear_input_grad || kind == OpKind::linear_weight_grad;
}

std::int64_t pixels_in(const Op& op) { return op.extent.h * op.extent.w; }

std::int64_t pixels_out(const Op& op) {
  if (op.filter.out_height > 0) {
    return op.filter.out_height * op.filter.out_width;
  }
  const bool pool = op.kind == OpKind::max_pool_forward || op.kind == OpKind::max_pool_backward;
  return pool ? (op.extent.h / 2) * (op.extent.w / 2) : pixels_in(op);
}

Op make_op(OpKind kind, base::MathMode math, base::DType type, base::Layout layout, const Extent& extent,
           const Filter& filter) {
  Op op;
  op.kind = kind;
  op.math = math;
  op.type = type;
  op.layout = layout;
  op.extent = extent;
  op.filter = filter;
  set_traffic(op);
  return op;
}

Op make_optimizer(base::DType type, base::OptimizerImpl impl, std::int64_t elements, std::int64_t tensors,
                  const UpdateRule& rule) {
  // multi_tensor_apply: 320 blocks of 65,536 elements a kernel.
  constexpr std::int64_t kElementsPerKernel = std::int64_t{320} * 65536;
  Op op = make_op(OpKind::optimizer, base::MathMode::fp32, type, base::Layout::nchw, {elements, 1, 1, 1, 1});
  op.impl = impl;
  op.read = Bytes(rule.reads * elements * base::size_of(type));
  op.written = Bytes(rule.writes * elements * base::size_of(type));
  op.tensors = tensors;
  op.passes = rule.passes;
  op.kernels = rule.passes * (impl == base::OptimizerImpl::loop ? tensors : elements / kElementsPerKernel + 1);
  return op;
}

}  // namespace vggplan::timing
