// SPDX-License-Identifier: MIT
#include "vggplan/timing/op.hpp"

namespace vggplan::timing {

std::string_view name_of(OpKind kind) {
  switch (kind) {
    case OpKind::conv_forward: return "conv_forward";
    case OpKind::conv_input_grad: return "conv_input_grad";
    case OpKind::conv_weight_grad: return "conv_weight_grad";
    case OpKind::linear_forward: return "linear_forward";
    case OpKind::linear_input_grad: return "linear_input_grad";
    case OpKind::linear_weight_grad: return "linear_weight_grad";
    case OpKind::bias_add: return "bias_add";
    case OpKind::bias_grad: return "bias_grad";
    case OpKind::relu_forward: return "relu_forward";
    case OpKind::relu_backward: return "relu_backward";
    case OpKind::max_pool_forward: return "max_pool_forward";
    case OpKind::max_pool_backward: return "max_pool_backward";
    case OpKind::avg_pool_forward: return "avg_pool_forward";
    case OpKind::avg_pool_backward: return "avg_pool_backward";
    case OpKind::batch_norm_forward: return "batch_norm_forward";
    case OpKind::batch_norm_inference: return "batch_norm_inference";
    case OpKind::batch_norm_backward: return "batch_norm_backward";
    case OpKind::dropout_forward: return "dropout_forward";
    case OpKind::dropout_backward: return "dropout_backward";
    case OpKind::loss_forward: return "loss_forward";
    case OpKind::loss_backward: return "loss_backward";
    case OpKind::cast: return "cast";
    case OpKind::fill: return "fill";
    case OpKind::copy: return "copy";
    case OpKind::grad_accumulate: return "grad_accumulate";
    case OpKind::optimizer: return "optimizer";
    case OpKind::grad_unscale: return "grad_unscale";
    case OpKind::host_read: return "host_read";
  }
  return "";
}

}  // namespace vggplan::timing
