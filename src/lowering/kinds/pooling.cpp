// SPDX-License-Identifier: MIT
#include "lowering/kinds/kinds.hpp"

namespace vggplan::lowering {
namespace {

using timing::OpKind;

TensorId max_pool(Step& step, const Run& run) {
  constexpr std::int64_t kIndexBytes = 8;
  const TensorId input = step.take(run.node.inputs.front(), run.id);
  const TensorId output = step.allocate_output(run.id);
  const TensorId indices = step.tape.allocate(step.batch * run.node.output.elements() * kIndexBytes,
                                              Category::pooling_indices, layer_id(run.id));
  step.op(OpKind::max_pool_forward, step.map(run.node.input));
  if (run.keep) {
    step.keep(run.id, step.saved[run.id].input, input);
    step.keep(run.id, step.saved[run.id].mask, indices);
  } else {
    step.tape.drop(indices);
    step.tape.drop(input);
  }
  return output;
}

/// A gradient of the input's shape. One that came out in the other layout is copied first.
void pool_backward(Step& step, const Run& run, Gradient incoming, bool turns) {
  if (turns) {
    step.tape.drop(step.gradient_of(run.id, run.id));
  }
  const TensorId outgoing = step.gradient_of(run.id, run.node.inputs.front());
  if (step.nhwc() && incoming.turned) {
    step.tape.drop(step.gradient_of(run.id, run.id));
  }
  spend(step, run.id, incoming.tensor);
  step.deliver(run.node.inputs.front(), {outgoing, turns});
}

void max_pool_backward(Step& step, const Run& run, Gradient incoming) {
  step.op(OpKind::max_pool_backward, step.map(run.node.input));
  pool_backward(step, run, incoming, false);
}

timing::Extent averaged(const Step& step, const Run& run) {
  timing::Extent extent = step.map(run.node.input);
  extent.k = run.node.output.height;
  return extent;
}

TensorId average_pool(Step& step, const Run& run) {
  const TensorId input = step.take(run.node.inputs.front(), run.id);
  const TensorId output = step.allocate_output(run.id);
  step.op(OpKind::avg_pool_forward, averaged(step, run));
  if (run.keep) {
    step.keep(run.id, step.saved[run.id].input, input);
  } else {
    step.tape.drop(input);
  }
  return output;
}

void average_pool_backward(Step& step, const Run& run, Gradient incoming) {
  step.op(OpKind::avg_pool_backward, averaged(step, run));
  pool_backward(step, run, incoming, false);
}

/// A 1x1 pool is a mean, which keeps only sizes; of a map of one pixel there is nothing to sum.
bool is_mean(const graph::Node& node) { return node.output.height * node.output.width == 1; }
bool sums(const graph::Node& node) { return is_mean(node) && node.input.height * node.input.width > 1; }

TensorId adaptive_pool(Step& step, const Run& run) {
  const TensorId input = step.take(run.node.inputs.front(), run.id);
  const TensorId output = step.allocate_output(run.id);
  step.op(OpKind::avg_pool_forward, averaged(step, run));
  if (sums(run.node)) {
    const ReductionBuffers buffers =
        mean_reduction(step.batch * run.node.input.channels, run.node.input.height * run.node.input.width,
                       step.job.layout, step.device);
    step.kernel_buffers(run.id, buffers.partial_sums, buffers.counters);
  }
  if (run.keep && !is_mean(run.node)) {
    step.keep(run.id, step.saved[run.id].input, input);
  } else {
    step.tape.drop(input);
  }
  return output;
}

/// The gradient of a mean comes out contiguous whatever the layout: channels_last copies it.
void adaptive_pool_backward(Step& step, const Run& run, Gradient incoming) {
  step.op(OpKind::avg_pool_backward, averaged(step, run));
  pool_backward(step, run, incoming, step.nhwc() && sums(run.node));
}

}  // namespace

const Lowering kMaxPool{max_pool, max_pool_backward, 2};  // input and indices
const Lowering kAveragePool{average_pool, average_pool_backward, 1};
const Lowering kAdaptiveAveragePool{adaptive_pool, adaptive_pool_backward, 0};

}  // namespace vggplan::lowering
