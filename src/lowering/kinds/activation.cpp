// SPDX-License-Identifier: MIT
// What works element by element: activations, dropout, softmax.
#include "lowering/kinds/kinds.hpp"

namespace vggplan::lowering {
namespace {

using graph::Function;
using timing::OpKind;

/// Of ReLU, sigmoid and tanh autograd saves the result, of LeakyReLU too where it works in place, of the others the
/// input.
bool saves_result(const graph::Activation& activation) {
  const Function function = activation.function;
  return function == Function::relu || function == Function::sigmoid || function == Function::tanh ||
         (function == Function::leaky_relu && activation.in_place);
}

struct Passes {
  OpKind forward{};
  OpKind backward{};
};

/// What was not measured goes at the pace of its like: tanh and the hard sigmoid at that of the sigmoid,
/// LeakyReLU at that of ReLU6.
Passes passes_of(Function function) {
  switch (function) {
    case Function::relu: return {OpKind::relu_forward, OpKind::relu_backward};
    case Function::leaky_relu:
    case Function::relu6: return {OpKind::relu6_forward, OpKind::relu6_backward};
    case Function::silu: return {OpKind::silu_forward, OpKind::silu_backward};
    case Function::gelu: return {OpKind::gelu_forward, OpKind::gelu_backward};
    case Function::hard_swish: return {OpKind::hard_swish_forward, OpKind::hard_swish_backward};
    case Function::sigmoid:
    case Function::hard_sigmoid:
    case Function::tanh: return {OpKind::sigmoid_forward, OpKind::sigmoid_backward};
  }
  return {};
}

TensorId activate(Step& step, const Run& run) {
  const auto& activation = std::get<graph::Activation>(run.node.kind);
  const TensorId input = step.take(run.node.inputs.front(), run.id);
  Saved& saved = step.saved[run.id];
  if (activation.in_place) {  // the result lies in the input's storage
    if (run.keep && saves_result(activation)) {
      step.tape.retain(input);
      step.keep(run.id, saved.result, input);
    } else if (run.keep) {  // autograd clones what is about to be overwritten
      step.op(OpKind::copy, step.map(run.node.output));
      step.keep(run.id, saved.input,
                step.tape.allocate(step.value_size(run.id), Category::activations, layer_id(run.id)));
    }
    step.op(passes_of(activation.function).forward, step.map(run.node.output));
    return input;
  }
  step.op(passes_of(activation.function).forward, step.map(run.node.output));
  const TensorId output = step.allocate_output(run.id);
  if (run.keep && saves_result(activation)) {
    step.tape.retain(output);
    step.keep(run.id, saved.result, output);
    step.tape.drop(input);
  } else if (run.keep) {
    step.keep(run.id, saved.input, input);
  } else {
    step.tape.drop(input);
  }
  return output;
}

/// Elementwise kernels take gradients of either layout.
void activate_backward(Step& step, const Run& run, Gradient incoming) {
  const auto* activation = std::get_if<graph::Activation>(&run.node.kind);  // else a softmax
  const Function function = activation == nullptr ? Function::sigmoid : activation->function;
  const OpKind kind = passes_of(function).backward;
  step.op(kind == OpKind::relu_backward && incoming.part ? OpKind::slice_relu_backward : kind,
          step.map(run.node.output));
  const TensorId outgoing = step.gradient_of(run.id, run.node.inputs.front());
  spend(step, run.id, incoming.tensor);
  step.deliver(run.node.inputs.front(), {outgoing});
}

/// A byte an element; of whole channels a number a map, in the type of the input.
std::int64_t mask_bytes(const Step& step, const Run& run, bool whole_channels) {
  const graph::Shape& shape = run.node.output;
  return step.batch * (whole_channels ? shape.channels * step.activation_bytes : shape.elements());
}

TensorId drop_out(Step& step, const Run& run) {
  const auto& dropout = std::get<graph::Dropout>(run.node.kind);
  const TensorId input = step.take(run.node.inputs.front(), run.id);
  if (!step.training() || dropout.passes_through()) {
    return input;
  }
  const TensorId mask =
      step.tape.allocate(mask_bytes(step, run, dropout.whole_channels), Category::other, layer_id(run.id));
  const TensorId output = step.allocate_output(run.id);
  step.op(OpKind::dropout_forward, step.map(run.node.output));
  if (run.keep) {
    step.keep(run.id, step.saved[run.id].mask, mask);
  } else {
    step.tape.drop(mask);
  }
  step.tape.drop(input);
  return output;
}

void drop_out_backward(Step& step, const Run& run, Gradient incoming) {
  if (std::get<graph::Dropout>(run.node.kind).passes_through()) {
    step.deliver(run.node.inputs.front(), incoming);
    return;
  }
  step.op(OpKind::dropout_backward, step.map(run.node.output));
  const TensorId outgoing = step.gradient_of(run.id, run.node.inputs.front());
  spend(step, run.id, incoming.tensor);
  step.deliver(run.node.inputs.front(), {outgoing});
}

TensorId soft_max(Step& step, const Run& run) {
  const TensorId input = step.take(run.node.inputs.front(), run.id);
  const TensorId output = step.allocate_output(run.id);
  step.op(OpKind::relu_forward, step.map(run.node.output));
  if (run.keep) {
    step.tape.retain(output);
    step.keep(run.id, step.saved[run.id].result, output);
  }
  step.tape.drop(input);
  return output;
}

}  // namespace

const Lowering kActivation{activate, activate_backward, 1};
const Lowering kDropout{drop_out, drop_out_backward, 0};
const Lowering kSoftmax{soft_max, activate_backward, 1};

}  // namespace vggplan::lowering
