// SPDX-License-Identifier: MIT
#include <algorithm>

#include "lowering/kinds/kinds.hpp"

namespace vggplan::lowering {
namespace {

using timing::OpKind;

/// VGG's windows, 2x2 of stride 2, are those that a pool has when nothing is said.
void window_op(Step& step, const Run& run, OpKind kind, const graph::Window& window) {
  timing::Filter filter;
  if (kind == OpKind::average_pool_forward || kind == OpKind::average_pool_backward || window != graph::Window{}) {
    filter.height = window.kernel.height;
    filter.width = window.kernel.width;
    filter.stride = std::max(window.stride.height, window.stride.width);
    filter.out_height = run.node.output.height;
    filter.out_width = run.node.output.width;
  }
  step.op(kind, step.map(run.node.input), filter);
}

TensorId max_pool(Step& step, const Run& run) {
  constexpr std::int64_t kIndexBytes = 8;
  const TensorId input = step.take(run.node.inputs.front(), run.id);
  const TensorId output = step.allocate_output(run.id);
  const TensorId indices = step.tape.allocate(step.batch * run.node.output.elements() * kIndexBytes,
                                              Category::pooling_indices, layer_id(run.id));
  window_op(step, run, OpKind::max_pool_forward, std::get<graph::MaxPool>(run.node.kind).window);
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
  window_op(step, run, OpKind::max_pool_backward, std::get<graph::MaxPool>(run.node.kind).window);
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
  window_op(step, run, OpKind::average_pool_forward, std::get<graph::AveragePool>(run.node.kind).window);
  if (run.keep) {
    step.keep(run.id, step.saved[run.id].input, input);
  } else {
    step.tape.drop(input);
  }
  return output;
}

void average_pool_backward(Step& step, const Run& run, Gradient incoming) {
  window_op(step, run, OpKind::average_pool_backward, std::get<graph::AveragePool>(run.node.kind).window);
  pool_backward(step, run, incoming, false);
}

/// Of a map of one pixel there is nothing to sum.
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

bool is_mean(const graph::Node& node) { return node.output.height * node.output.width == 1; }

const Lowering kMaxPool{max_pool, max_pool_backward, 2};  // input and indices
const Lowering kAveragePool{average_pool, average_pool_backward, 1};
const Lowering kAdaptiveAveragePool{adaptive_pool, adaptive_pool_backward, 1};

}  // namespace vggplan::lowering
