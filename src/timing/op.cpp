// SPDX-License-Identifier: MIT
#include "vggplan/timing/op.hpp"

namespace vggplan::timing {
namespace {

using base::Bytes;
using base::Flops;

constexpr std::int64_t kTaps = 9;        // of a 3x3 kernel
constexpr std::int64_t kIndexBytes = 8;  // max_pool2d keeps int64 indices
constexpr std::int64_t kMaskBytes = 1;

/// Elements of the tensors that an op of this extent meets.
struct Counts {
  std::int64_t in{};       ///< n c h w
  std::int64_t out{};      ///< n k h w (convolution), n k (Linear)
  std::int64_t weights{};  ///< of a convolution or Linear
  std::int64_t pooled{};   ///< output of a 2x2 max pool
};

Counts count(OpKind kind, const Extent& e) {
  Counts counts;
  counts.in = e.n * e.c * e.h * e.w;
  counts.out = e.n * e.k * e.h * e.w;
  counts.weights = e.c * e.k * (is_convolution(kind) ? kTaps : 1);
  counts.pooled = e.n * e.c * (e.h / 2) * (e.w / 2);
  return counts;
}

void set_product(Op& op, const Counts& counts, std::int64_t size) {
  op.flops = Flops(2 * counts.weights * op.extent.n * op.extent.h * op.extent.w);
  op.read = Bytes((counts.in + counts.out + counts.weights) * size);
  op.kernels = 2;
}

void set_traffic(Op& op) {
  const std::int64_t size = base::size_of(op.type);
  const Counts n = count(op.kind, op.extent);
  const auto set = [&op](std::int64_t read, std::int64_t written) {
    op.read = Bytes(read);
    op.written = Bytes(written);
  };
  switch (op.kind) {
    case OpKind::conv_forward:
    case OpKind::conv_input_grad:
    case OpKind::conv_weight_grad:
      set_product(op, n, size);
      // Contiguous tensors are turned to channels_last and the result back, but for true fp32.
      op.kernels += op.layout == base::Layout::nchw && op.math != base::MathMode::fp32 ? 3 : 0;
      return;
    case OpKind::linear_forward:
    case OpKind::linear_input_grad:
    case OpKind::linear_weight_grad: set_product(op, n, size); return;
    case OpKind::bias_add:
    case OpKind::relu_forward:
    case OpKind::batch_norm_inference:
    case OpKind::copy: set(n.in * size, n.in * size); return;
    case OpKind::bias_grad: set(n.in * size, op.extent.c * size); return;
    case OpKind::relu_backward: set(2 * n.in * size, n.in * size); return;
    case OpKind::max_pool_forward: set(n.in * size, n.pooled * (size + kIndexBytes)); return;
    case OpKind::max_pool_backward:  // the output is filled with zeros first
      set(n.pooled * (size + kIndexBytes), 2 * n.in * size);
      op.kernels = 2;
      return;
    case OpKind::avg_pool_forward:
      set(n.in * size, op.extent.n * op.extent.c * op.extent.k * op.extent.k * size);
      return;
    case OpKind::avg_pool_backward:
      set(op.extent.n * op.extent.c * op.extent.k * op.extent.k * size, n.in * size);
      return;
    case OpKind::batch_norm_forward: set(2 * n.in * size, n.in * size); return;
    case OpKind::batch_norm_backward: set(4 * n.in * size, n.in * size); return;
    case OpKind::dropout_forward: set(n.in * size, n.in * (size + kMaskBytes)); return;
    case OpKind::dropout_backward: set(n.in * (size + kMaskBytes), n.in * size); return;
    case OpKind::loss_forward:
    case OpKind::loss_backward:
      set(2 * n.in * size, 2 * n.in * size);
      op.kernels = op.kind == OpKind::loss_forward ? 2 : 4;
      return;
    case OpKind::cast: {
      constexpr std::int64_t kWide = base::size_of(base::DType::f32);
      // A result in fp32 comes from a half precision and the other way round.
      set(n.in * (size == kWide ? kWide / 2 : kWide), n.in * size);
      return;
    }
    case OpKind::fill: set(0, n.in * size); return;
    case OpKind::grad_accumulate: set(2 * n.in * size, n.in * size); return;
    case OpKind::optimizer:
    case OpKind::grad_unscale: set(n.in * size, n.in * size); return;
    case OpKind::host_read: set(size, size); return;
    case OpKind::checkpoint: op.kernels = 0; return;
  }
}

}  // namespace

bool is_convolution(OpKind kind) {
  return kind == OpKind::conv_forward || kind == OpKind::conv_input_grad || kind == OpKind::conv_weight_grad;
}

bool is_linear(OpKind kind) {
  return kind == OpKind::linear_forward || kind == OpKind::linear_input_grad || kind == OpKind::linear_weight_grad;
}

Op make_op(OpKind kind, base::MathMode math, base::DType type, base::Layout layout, const Extent& extent) {
  Op op;
  op.kind = kind;
  op.math = math;
  op.type = type;
  op.layout = layout;
  op.extent = extent;
  set_traffic(op);
  return op;
}

Op make_optimizer(base::DType type, OptimizerLoop loop, std::int64_t elements, std::int64_t tensors,
                  const UpdateRule& rule) {
  // multi_tensor_apply: 320 blocks of 65,536 elements a kernel.
  constexpr std::int64_t kElementsPerKernel = std::int64_t{320} * 65536;
  Op op = make_op(OpKind::optimizer, base::MathMode::fp32, type, base::Layout::nchw, {elements, 1, 1, 1, 1});
  op.loop = loop;
  op.read = Bytes(rule.reads * elements * base::size_of(type));
  op.written = Bytes(rule.writes * elements * base::size_of(type));
  op.tensors = tensors;
  op.passes = rule.passes;
  op.kernels = rule.passes * (loop == OptimizerLoop::single ? tensors : elements / kElementsPerKernel + 1);
  return op;
}

}  // namespace vggplan::timing
