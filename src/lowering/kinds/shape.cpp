// SPDX-License-Identifier: MIT
// The same values in another shape.
#include "lowering/kinds/kinds.hpp"
#include "lowering/layout.hpp"

namespace vggplan::lowering {
namespace {

using timing::OpKind;

TensorId flatten(Step& step, const Run& run) {
  const TensorId input = step.take(run.node.inputs.front(), run.id);
  if (!flatten_copies(run.node, step.job.layout)) {
    return input;
  }
  step.op(OpKind::copy, step.map(run.node.input));
  const TensorId output = step.allocate_output(run.id);
  step.tape.drop(input);
  return output;
}

void flatten_backward(Step& step, const Run& run, Gradient incoming) {
  step.deliver(run.node.inputs.front(), incoming);
}

/// Either way, in the terms of forward.
void resize_op(Step& step, const Run& run, OpKind nearest, OpKind bilinear) {
  timing::Filter filter;
  filter.out_height = run.node.output.height;
  filter.out_width = run.node.output.width;
  step.op(std::get<graph::Resize>(run.node.kind).bilinear ? bilinear : nearest, step.map(run.node.input), filter);
}

TensorId resize(Step& step, const Run& run) {
  const TensorId input = step.take(run.node.inputs.front(), run.id);
  const bool casts = step.wide[run.id] && !step.wide[run.node.inputs.front()];
  const TensorId operand =
      casts ? step.tape.allocate(2 * step.activation_size(run.node.input), Category::other, layer_id(run.id))
            : kNothing;
  const TensorId output = step.allocate_output(run.id);
  resize_op(step, run, OpKind::nearest_forward, OpKind::bilinear_forward);
  step.tape.drop(operand);
  step.tape.drop(input);
  return output;
}

void resize_backward(Step& step, const Run& run, Gradient incoming) {
  resize_op(step, run, OpKind::nearest_backward, OpKind::bilinear_backward);
  const NodeId input = run.node.inputs.front();
  const bool casts = step.wide[run.id] && !step.wide[input];
  TensorId outgoing = casts ? step.tape.allocate(2 * step.activation_size(run.node.input),
                                                 Category::activation_gradients, layer_id(run.id))
                            : step.gradient_of(run.id, input);
  if (incoming.part) {  // a copy without gaps
    step.tape.drop(step.gradient_of(run.id, run.id));
  }
  spend(step, run.id, incoming.tensor);
  if (casts) {
    const TensorId cast = step.gradient_of(run.id, input);
    step.tape.drop(outgoing);
    outgoing = cast;
  }
  step.deliver(input, {outgoing});
}

}  // namespace

const Lowering kFlatten{flatten, flatten_backward, 0};
const Lowering kResize{resize, resize_backward, 0};

}  // namespace vggplan::lowering
