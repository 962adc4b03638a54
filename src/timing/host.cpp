// SPDX-License-Identifier: MIT
// Fitted to steps so small that the GPU hardly works (tests/data/measurements/host_issue.jsonl).
#include "timing/host.hpp"

namespace vggplan::timing {
namespace {

/// What an op is to the host, before the optimizer.
enum class Role { node, parameters, kernels, cast, checkpoint };

Role role_of(OpKind kind) {
  switch (kind) {
    case OpKind::conv_weight_grad:
    case OpKind::linear_weight_grad:
    case OpKind::layer_norm_backward:
    case OpKind::batch_norm_backward: return Role::parameters;
    // Parts of one call in C++: a convolution adds its bias, and a layer's gradients are one node.
    case OpKind::bias_add:
    case OpKind::bias_grad:
    case OpKind::multiply_reduce:
    case OpKind::conv_input_grad:
    case OpKind::linear_input_grad:
    case OpKind::grad_accumulate: return Role::kernels;
    case OpKind::cast: return Role::cast;
    case OpKind::checkpoint: return Role::checkpoint;
    case OpKind::conv_forward:
    case OpKind::linear_forward:
    case OpKind::relu_forward:
    case OpKind::relu_backward:
    case OpKind::max_pool_forward:
    case OpKind::max_pool_backward:
    case OpKind::avg_pool_forward:
    case OpKind::avg_pool_backward:
    case OpKind::batch_norm_forward:
    case OpKind::batch_norm_inference:
    case OpKind::layer_norm_forward:
    case OpKind::average_pool_forward:
    case OpKind::average_pool_backward:
    case OpKind::relu6_forward:
    case OpKind::relu6_backward:
    case OpKind::silu_forward:
    case OpKind::silu_backward:
    case OpKind::sigmoid_forward:
    case OpKind::sigmoid_backward:
    case OpKind::gelu_forward:
    case OpKind::gelu_backward:
    case OpKind::hard_swish_forward:
    case OpKind::hard_swish_backward:
    case OpKind::add:
    case OpKind::multiply:
    case OpKind::concatenate:
    case OpKind::slice_copy:
    case OpKind::slice_relu_backward:
    case OpKind::nearest_forward:
    case OpKind::nearest_backward:
    case OpKind::bilinear_forward:
    case OpKind::bilinear_backward:
    case OpKind::pixel_loss_forward:
    case OpKind::pixel_loss_backward:
    case OpKind::mse_forward:
    case OpKind::mse_backward:
    case OpKind::smooth_l1_forward:
    case OpKind::smooth_l1_backward:
    case OpKind::dropout_forward:
    case OpKind::dropout_backward:
    case OpKind::loss_forward:
    case OpKind::loss_backward:
    case OpKind::fill:
    case OpKind::copy:
    case OpKind::optimizer:
    case OpKind::grad_unscale:
    case OpKind::host_read: return Role::node;
  }
  return Role::node;
}

double node_seconds(const Op& op, const HostCosts& costs) {
  if (op.phase != base::Phase::backward || op.recompute) {
    return (op.records ? 1.0 : costs.unrecorded_share) * costs.forward_op_seconds;
  }
  // Where a network has two losses, that over boxes is the second.
  const bool first =
      op.kind == OpKind::loss_backward || op.kind == OpKind::pixel_loss_backward || op.kind == OpKind::mse_backward;
  return costs.backward_op_seconds + (first ? costs.backward_seconds : 0.0);
}

double layer_seconds(const Op& op, const HostCosts& costs) {
  const double kernels = static_cast<double>(op.kernels) * costs.kernel_seconds;
  switch (role_of(op.kind)) {
    case Role::node: return node_seconds(op, costs) + kernels - costs.kernel_seconds;
    case Role::parameters: return node_seconds(op, costs) + costs.gradient_seconds + kernels - costs.kernel_seconds;
    case Role::kernels: return kernels;
    case Role::cast: return costs.cast_seconds;
    case Role::checkpoint:
      return (op.recompute ? costs.recompute_seconds : costs.checkpoint_seconds) +
             static_cast<double>(op.tensors) * costs.saved_tensor_seconds;
  }
  return 0.0;
}

double optimizer_seconds(const Op& op, const HostCosts& costs) {
  if (op.kind != OpKind::optimizer) {
    return op.kind == OpKind::grad_unscale ? costs.scaler_seconds : 0.0;
  }
  const auto passes = static_cast<double>(op.passes);
  const auto tensors = static_cast<double>(op.tensors);
  return op.loop == OptimizerLoop::single
             ? passes * tensors * costs.optimizer_call_seconds
             : passes * costs.optimizer_pass_seconds + tensors * costs.optimizer_tensor_seconds;
}

}  // namespace

double host_seconds(const Op& op, const HostCosts& costs) {
  return op.phase == base::Phase::optimizer ? optimizer_seconds(op, costs) : layer_seconds(op, costs);
}

double host_factor(double operation, const HostSpeed& speed) {
  // Python and PyTorch's own code follow the clock of the core. The rest, in cuDNN and the driver, follows it less:
  // with three fifths the rows of host_issue.jsonl, whose hosts differ by 1.8, scatter least.
  constexpr double kFollowing = 0.6;
  return operation > 0.0 && speed.operation > 0.0 ? 1.0 + kFollowing * (operation / speed.operation - 1.0) : 1.0;
}

Spread host_range(const Calibration& calibration) {
  const HostSpeed& speed = calibration.host_speed;
  return {host_factor(speed.low, speed) * calibration.spread_host.low,
          host_factor(speed.high, speed) * calibration.spread_host.high};
}

}  // namespace vggplan::timing
