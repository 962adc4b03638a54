// SPDX-License-Identifier: MIT
// Fitted to steps so small that the GPU hardly works (tests/data/measurements/host_issue.jsonl).
#include "timing/host.hpp"

#include <algorithm>
#include <array>

namespace vggplan::timing {
namespace {

/// What an op is to the host, before the optimizer.
enum class Role { node, parameters, kernels, addition, cast, checkpoint };

template <std::size_t N>
bool among(const std::array<OpKind, N>& kinds, OpKind kind) {
  return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

Role role_of(OpKind kind) {
  constexpr std::array kParameters{OpKind::conv_weight_grad, OpKind::linear_weight_grad, OpKind::layer_norm_backward,
                                   OpKind::batch_norm_backward};
  // Parts of one call in C++: a convolution adds its bias, and a layer's gradients are one node.
  constexpr std::array kKernels{OpKind::bias_add, OpKind::bias_grad, OpKind::multiply_reduce, OpKind::conv_input_grad,
                                OpKind::linear_input_grad};
  if (among(kParameters, kind)) {
    return Role::parameters;
  }
  if (among(kKernels, kind)) {
    return Role::kernels;
  }
  if (kind == OpKind::grad_accumulate) {
    return Role::addition;
  }
  return kind == OpKind::cast ? Role::cast : kind == OpKind::checkpoint ? Role::checkpoint : Role::node;
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

/// Autograd's engine adds gradients that meet by the very operation that tells the speed of a host. In VGG, which the
/// other costs were fitted to, none meet.
double addition_seconds(const HostCosts& costs, const HostSpeed& speed) {
  return speed.operation > 0.0 ? speed.operation : costs.kernel_seconds;
}

double layer_seconds(const Op& op, const HostCosts& costs, const HostSpeed& speed) {
  const double kernels = static_cast<double>(op.kernels) * costs.kernel_seconds;
  switch (role_of(op.kind)) {
    case Role::node: return node_seconds(op, costs) + kernels - costs.kernel_seconds;
    case Role::parameters: return node_seconds(op, costs) + costs.gradient_seconds + kernels - costs.kernel_seconds;
    case Role::kernels: return kernels;
    case Role::addition: return static_cast<double>(op.kernels) * addition_seconds(costs, speed);
    case Role::cast: return costs.cast_seconds;
    case Role::checkpoint:
      return (op.recompute ? costs.recompute_seconds : costs.checkpoint_seconds) +
             static_cast<double>(op.tensors) * costs.saved_tensor_seconds;
  }
  return 0.0;
}

/// In the time of one addition from Python, which tells hosts apart: medians of what an H200's host took for small
/// compiled steps, with and without CUDA graphs, of VGG, ResNet, MobileNetV2 and a U-Net
/// (tests/data/measurements/compiled_host.jsonl).
constexpr double kAdditionsPerCall = 28.0;      // of a compiled program: guards, arguments
constexpr double kAdditionsPerParameter = 1.5;  // in training: an argument of autograd's function, a gradient of it
constexpr double kAdditionsPerLaunch = 2.4;     // of one of its kernels: a buffer is made, Triton's launcher runs
constexpr double kAdditionsPerResult = 0.6;     // in training: the buffer is kept or handed back

double compiled_seconds(const Op& op, const HostCosts& costs, const HostSpeed& speed) {
  const double addition = addition_seconds(costs, speed);
  if (op.kind == OpKind::compiled_call) {
    return (kAdditionsPerCall + (op.records ? static_cast<double>(op.tensors) * kAdditionsPerParameter : 0.0)) *
           addition;
  }
  const double launch = kAdditionsPerLaunch + (op.records ? kAdditionsPerResult : 0.0);
  return op.launch == Launch::graph ? 0.0 : launch * addition;
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

double host_seconds(const Op& op, const HostCosts& costs, const HostSpeed& speed) {
  if (op.launch != Launch::eager) {
    return compiled_seconds(op, costs, speed);
  }
  return op.phase == base::Phase::optimizer ? optimizer_seconds(op, costs) : layer_seconds(op, costs, speed);
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
