// SPDX-License-Identifier: MIT
// Several maps become one.
#include <vector>

#include "lowering/kinds/kinds.hpp"

namespace vggplan::lowering {
namespace {

using timing::OpKind;

std::vector<TensorId> take_all(Step& step, const Run& run) {
  std::vector<TensorId> inputs;
  for (const NodeId input : run.node.inputs) {
    inputs.push_back(step.take(input, run.id));
  }
  return inputs;
}

TensorId add(Step& step, const Run& run) {
  const std::vector<TensorId> inputs = take_all(step, run);
  step.op(OpKind::add, step.map(run.node.output));
  TensorId output = inputs.front();
  if (!std::get<graph::Add>(run.node.kind).in_place) {
    output = step.allocate_output(run.id);
    step.tape.drop(inputs.front());
  }
  for (std::size_t i = 1; i < inputs.size(); ++i) {
    step.tape.drop(inputs[i]);
  }
  return output;
}

/// The same gradient goes to both, without a copy.
void add_backward(Step& step, const Run& run, Gradient incoming) {
  for (const NodeId input : run.node.inputs) {
    if (step.needs_gradient(input)) {
      step.tape.retain(incoming.tensor);
      step.deliver(input, incoming);
    }
  }
  spend(step, run.id, incoming.tensor);
}

TensorId multiply(Step& step, const Run& run) {
  const std::vector<TensorId> inputs = take_all(step, run);
  const TensorId output = step.allocate_output(run.id);
  step.op(OpKind::multiply, step.map(run.node.output));
  if (run.keep) {
    step.keep(run.id, step.saved[run.id].input, inputs[0]);
    step.keep(run.id, step.saved[run.id].result, inputs[1]);
  } else {
    step.tape.drop(inputs[0]);
    step.tape.drop(inputs[1]);
  }
  return output;
}

void multiply_backward(Step& step, const Run& run, Gradient incoming) {
  std::vector<TensorId> outgoing;
  for (const NodeId input : run.node.inputs) {
    const bool reduced = step.node(input).output != run.node.output;
    step.op(reduced ? OpKind::multiply_reduce : OpKind::multiply, step.map(run.node.output));
    outgoing.push_back(step.needs_gradient(input) ? step.gradient_of(run.id, input) : kNothing);
  }
  spend(step, run.id, incoming.tensor);
  for (std::size_t i = 0; i < outgoing.size(); ++i) {
    step.deliver(run.node.inputs[i], {outgoing[i]});
  }
}

TensorId concatenate(Step& step, const Run& run) {
  const std::vector<TensorId> inputs = take_all(step, run);
  const TensorId output = step.allocate_output(run.id);
  step.op(OpKind::concatenate, step.map(run.node.output));
  for (const TensorId input : inputs) {
    step.tape.drop(input);
  }
  return output;
}

/// Each input gets a view of its part of the gradient: the whole lives as long as any of them.
void concatenate_backward(Step& step, const Run& run, Gradient incoming) {
  const graph::Shape& whole = run.node.output;
  const bool gaps = step.nhwc() ? whole.height * whole.width * step.batch > 1 : step.batch > 1;
  incoming.part = incoming.part || (gaps && run.node.inputs.size() > 1);
  std::vector<Gradient> outgoing;
  for (const NodeId input : run.node.inputs) {  // the engine casts to the type of the input
    outgoing.push_back(incoming);
    if (!step.needs_gradient(input)) {
      outgoing.back().tensor = kNothing;
    } else if (step.wide[input] != step.wide[run.id]) {
      outgoing.back() = {step.gradient_of(run.id, input)};
    } else {
      step.tape.retain(incoming.tensor);
    }
  }
  spend(step, run.id, incoming.tensor);
  for (std::size_t i = 0; i < outgoing.size(); ++i) {
    step.deliver(run.node.inputs[i], outgoing[i]);
  }
}

}  // namespace

const Lowering kAdd{add, add_backward, 0};
const Lowering kMultiply{multiply, multiply_backward, 2};
const Lowering kConcatenate{concatenate, concatenate_backward, 0};

}  // namespace vggplan::lowering
