// SPDX-License-Identifier: MIT
// Convolutions and Linear layers.
#include <utility>
#include <variant>
#include <vector>

#include "lowering/kinds/kinds.hpp"

namespace vggplan::lowering {

std::vector<TensorId> cast_parameters(Step& step, const Run& run, bool keeps_weight) {
  std::vector<TensorId> brief;
  if (!step.autocast) {
    return brief;
  }
  const std::span<Parameter> parameters = step.parameters_of(run.id);
  for (auto parameter = parameters.rbegin(); parameter != parameters.rend(); ++parameter) {
    const bool weight = &*parameter == &parameters.front();
    const TensorId copy =
        step.tape.allocate(parameter->elements * step.activation_bytes, Category::weight_copies, layer_id(run.id));
    if (weight && keeps_weight) {
      step.saved[run.id].weight_copy = copy;
      step.kept.weight_copies += step.tape.bytes(copy);
    } else if (!parameter->trained) {
      brief.insert(brief.begin(), copy);
    } else {
      (weight ? step.weight_copies : step.bias_copies).push_back(copy);
    }
  }
  step.tape.heavy_kernel();  // casts
  return brief;
}

void list_casts(Step& step, NodeId id, base::DType to) {
  if (!step.autocast) {
    return;
  }
  for (const Parameter& parameter : step.parameters_of(id)) {
    if (parameter.trained || to != base::DType::f32) {
      step.op(timing::OpKind::cast, to, {parameter.elements});
    }
  }
}

TensorId cast_operand(Step& step, const Run& run, TensorId input) {
  const NodeId from = run.node.inputs.front();
  if (!step.wide[from]) {
    step.tape.retain(input);
    return input;
  }
  step.op(timing::OpKind::cast, {step.batch, run.node.input.elements()});
  return step.tape.allocate(step.activation_size(run.node.input), from == 0 ? Category::input : Category::activations,
                            layer_id(run.id));
}

namespace {

using timing::OpKind;

void convolution_op(Step& step, const Run& run, OpKind kind) {
  if (step.ops == nullptr) {
    return;
  }
  const auto& conv = std::get<graph::Convolution>(run.node.kind);
  step.op(timing::make_op(
      kind, job::convolution_math(step.job.precision), job::activation_type(step.job.precision), step.job.layout,
      {step.batch, conv.in_channels, conv.out_channels, run.node.input.height, run.node.input.width},
      filter_of(conv, run.node.output)));
}

void drop_all(Step& step, const std::vector<TensorId>& tensors) {
  for (const TensorId tensor : tensors) {
    step.tape.drop(tensor);
  }
}

/// Its backward is one function of input and weight, which are kept whichever gradient is asked for.
TensorId convolve(Step& step, const Run& run) {
  const TensorId input = step.take(run.node.inputs.front(), run.id);
  const auto& conv = std::get<graph::Convolution>(run.node.kind);
  const std::vector<TensorId> brief = cast_parameters(step, run, run.keep);
  const TensorId operand = cast_operand(step, run, input);
  list_casts(step, run.id, job::activation_type(step.job.precision));
  const TensorId output = step.allocate_output(run.id);
  step.convolution_scratch(run.id, ConvPass::forward, run.recompute);
  step.tape.heavy_kernel();
  convolution_op(step, run, OpKind::conv_forward);
  if (conv.bias) {
    step.op(OpKind::bias_add, step.map(run.node.output));
  }
  if (run.keep) {
    step.keep(run.id, step.saved[run.id].input, operand);
  } else {
    step.tape.drop(operand);
  }
  drop_all(step, brief);
  step.tape.drop(input);
  return output;
}

void bias_buffers(Step& step, NodeId id, bool turned) {
  Convolution convolution = step.convolution(id);
  convolution.layout = turned ? base::Layout::nchw : convolution.layout;
  const ReductionBuffers buffers = bias_reduction(convolution, step.device);
  const TensorId sums =
      buffers.between > 0 ? step.tape.allocate(buffers.between, Category::other, layer_id(id)) : kNothing;
  for (std::int64_t piece = 0; piece < buffers.pieces; ++piece) {
    step.kernel_buffers(id, buffers.partial_sums, buffers.counters);
  }
  step.tape.drop(sums);
}

/// `copy`: of the gradient that came in, laid out for cuDNN; the bias needs none.
std::vector<TensorId> gradients_of_filters(Step& step, const Run& run, bool turned, TensorId copy) {
  const auto& conv = std::get<graph::Convolution>(run.node.kind);
  const std::span<Parameter> parameters = step.parameters_of(run.id);
  const TensorId contiguous = step.contiguous_weight_gradient(run.id) ? step.gradient_of(run.id, run.id) : kNothing;
  std::vector<TensorId> fresh{fresh_gradient(step, parameters[0], step.activation_bytes)};
  step.convolution_scratch(run.id, ConvPass::weight_gradient, run.recompute);
  convolution_op(step, run, OpKind::conv_weight_grad);
  step.tape.drop(contiguous);
  step.tape.drop(copy);
  if (conv.bias) {
    fresh.push_back(fresh_gradient(step, parameters[1], step.activation_bytes));
    bias_buffers(step, run.id, turned);
  }
  return fresh;
}

/// Where the image is trained and needs no cast, it becomes the image's own gradient.
TensorId operand_gradient(Step& step, const Run& run) {
  if (run.node.inputs.front() == 0 && !step.wide.front()) {
    return fresh_gradient(step, step.parameters_of(0).front(), step.parameter_bytes);
  }
  return step.tape.allocate(step.activation_size(run.node.input), Category::activation_gradients, layer_id(run.id));
}

/// The gradient of an operand that was cast, cast back.
TensorId uncast(Step& step, const Run& run, TensorId gradient) {
  const NodeId input = run.node.inputs.front();
  if (gradient == kNothing || !step.wide[input]) {
    return gradient;
  }
  step.op(OpKind::cast, base::DType::f32, {step.batch, run.node.input.elements()});
  const TensorId cast = input == 0 ? fresh_gradient(step, step.parameters_of(0).front(), step.parameter_bytes)
                                   : step.gradient_of(run.id, input);
  step.tape.drop(gradient);
  return cast;
}

void convolve_backward(Step& step, const Run& run, Gradient incoming) {
  const NodeId input = run.node.inputs.front();
  const bool trains = run.node.trained;
  if (trains && std::get<graph::Convolution>(run.node.kind).bias) {
    step.op(OpKind::bias_grad, step.map(run.node.output));
  }
  const bool laid_out = (step.nhwc() && incoming.turned) || incoming.part;
  const TensorId copy = laid_out ? step.gradient_of(run.id, run.id) : kNothing;
  if (step.nhwc() && incoming.turned) {
    step.op(OpKind::copy, step.map(run.node.output));
  }
  TensorId outgoing = kNothing;
  if (step.needs_gradient(input)) {
    outgoing = operand_gradient(step, run);
    step.convolution_scratch(run.id, ConvPass::input_gradient, run.recompute);
    convolution_op(step, run, OpKind::conv_input_grad);
  }
  const std::vector<TensorId> fresh =
      trains ? gradients_of_filters(step, run, incoming.turned, copy) : std::vector<TensorId>{};
  if (!trains) {
    step.tape.drop(copy);
  }
  spend(step, run.id, incoming.tensor);
  step.deliver(input, {uncast(step, run, outgoing)});
  finish_parameters(step, run.id, fresh);
  if (trains) {
    list_casts(step, run.id, base::DType::f32);
  }
}

void linear_op(Step& step, const Run& run, OpKind kind) {
  if (step.ops == nullptr) {
    return;
  }
  const auto& linear = std::get<graph::Linear>(run.node.kind);
  const std::int64_t rows = step.batch * run.node.output.height * run.node.output.width;
  step.op(timing::make_op(kind, job::linear_math(step.job.precision), job::activation_type(step.job.precision),
                          base::Layout::nchw, {rows, linear.in_features, linear.out_features, 1, 1}));
}

/// Each gradient of a product has its own function, which keeps the other factor alone.
TensorId multiply_rows(Step& step, const Run& run) {
  const TensorId input = step.take(run.node.inputs.front(), run.id);
  const std::vector<TensorId> brief =
      cast_parameters(step, run, run.keep && step.needs_gradient(run.node.inputs.front()));
  const TensorId operand = cast_operand(step, run, input);
  list_casts(step, run.id, job::activation_type(step.job.precision));
  const TensorId output = step.allocate_output(run.id);
  step.cublas_workspaces(false);
  linear_op(step, run, OpKind::linear_forward);
  drop_all(step, brief);
  if (run.keep && run.node.trained) {
    step.keep(run.id, step.saved[run.id].input, operand);
  } else {
    step.tape.drop(operand);
  }
  step.tape.drop(input);
  return output;
}

void multiply_rows_backward(Step& step, const Run& run, Gradient incoming) {
  const NodeId input = run.node.inputs.front();
  TensorId outgoing = kNothing;
  if (step.needs_gradient(input)) {
    outgoing = operand_gradient(step, run);
    step.cublas_workspaces(true);
    linear_op(step, run, OpKind::linear_input_grad);
  }
  std::vector<TensorId> fresh;
  if (run.node.trained) {
    linear_op(step, run, OpKind::linear_weight_grad);
    for (Parameter& parameter : step.parameters_of(run.id)) {
      fresh.push_back(fresh_gradient(step, parameter, step.activation_bytes));
      if (fresh.size() == 1) {  // the weight's is a product, the bias's a sum
        step.cublas_workspaces(true);
      }
    }
    if (fresh.size() > 1) {
      const ReductionBuffers buffers = linear_bias_reduction(
          run.node.output.channels, step.batch * run.node.output.height * run.node.output.width, step.device);
      step.kernel_buffers(run.id, buffers.partial_sums, buffers.counters);
      // A row of outputs per image is what channels_last is: the same sum as that of a convolution's bias.
      step.op(timing::make_op(OpKind::bias_grad, base::MathMode::fp32, job::activation_type(step.job.precision),
                              base::Layout::nhwc, step.map(run.node.output)));
    }
  }
  spend(step, run.id, incoming.tensor);
  step.deliver(input, {uncast(step, run, outgoing)});
  finish_parameters(step, run.id, fresh);
  if (run.node.trained) {
    list_casts(step, run.id, base::DType::f32);
  }
}

}  // namespace

void pack_factors(Step& step, const Run& run) {
  const NodeId input = run.node.inputs.front();
  const bool convolution = std::holds_alternative<graph::Convolution>(run.node.kind);
  std::vector<timing::Op>* const ops = std::exchange(step.ops, nullptr);
  const std::vector<TensorId> brief = cast_parameters(step, run, convolution || step.needs_gradient(input));
  const TensorId operand = cast_operand(step, run, step.values[input]);
  if (convolution || run.node.trained) {
    step.saved[run.id].input = operand;
  } else {
    step.tape.drop(operand);
  }
  drop_all(step, brief);
  step.ops = ops;
}

const Lowering kConvolution{convolve, convolve_backward, 2};
const Lowering kLinear{multiply_rows, multiply_rows_backward, 2};

}  // namespace vggplan::lowering
