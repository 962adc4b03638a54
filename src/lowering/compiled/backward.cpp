// SPDX-License-Identifier: MIT
#include <algorithm>

#include "lowering/compiled/capture_state.hpp"
#include "lowering/kinds/kinds.hpp"

namespace vggplan::lowering::compiled {

void Capture::deliver(NodeId input, const Value& gradient) {
  if (!step.needs_gradient(input)) {
    return;
  }
  Value& held = gradients[input];
  if (!held.exists()) {
    held = gradient;
    return;
  }
  held.buffer = kNoBuffer;
  held.inner += gradient.inner;
  held.least += gradient.least;
  for (const BufferId source : gradient.sources) {
    if (std::ranges::count(held.sources, source) == 0) {
      held.sources.push_back(source);
    }
  }
}

std::size_t parameter_index(const Capture& capture, NodeId id, std::size_t which) {
  std::size_t first = 0;
  for (NodeId before = 0; before < id; ++before) {
    first += graph::parameter_tensors(capture.node(before)).size();
  }
  return first + which;
}

void Capture::hand_over(NodeId id, std::size_t which, BufferId gradient) {
  Buffer& buffer = result.backward.buffers[gradient];
  buffer.output = true;
  buffer.category = memory::Category::gradients;
  result.gradients[parameter_index(*this, id, which)] = gradient;
}

namespace {

using memory::Category;
using timing::OpKind;

/// Joins whoever reads the gradient of the input.
void pend(Capture& capture, NodeId id, const std::vector<BufferId>& more, const std::vector<BufferId>& over) {
  Value gradient = capture.gradients[id];
  for (const BufferId b : more) {
    gradient.sources.push_back(capture.recall(b));
  }
  gradient.over = over;
  gradient.buffer = kNoBuffer;
  capture.deliver(capture.node(id).inputs.front(), gradient);
}

/// Whether the gradient is read by several kernels, those of batch norm.
bool reduces(const Capture& capture, NodeId id) {
  const auto* norm = std::get_if<graph::BatchNorm>(&capture.node(id).kind);
  return norm != nullptr && !norm->frozen && capture.last[capture.contiguous_reader(id)];
}

void activate_backward(Capture& capture, NodeId id) {
  constexpr std::size_t kMostReads = 4;  // config.realize_reads_threshold
  const BufferId result = capture.keeps[id].result;
  Value& gradient = capture.gradients[id];
  if (result == kNoBuffer) {  // told by a mask
    pend(capture, id, capture.keeps[id].masks, gradient.over);
    return;
  }
  if (gradient.inner > 0 && reduces(capture, capture.node(id).inputs.front())) {
    capture.realise(id, gradient, id, Category::activation_gradients);
  }
  if (gradient.sources.size() >= kMostReads) {
    gradient.sources.push_back(capture.recall(result));
    gradient.over = {capture.recall(result)};
    capture.realise(id, gradient, id, Category::activation_gradients);
    capture.deliver(capture.node(id).inputs.front(), gradient);
    return;
  }
  pend(capture, id, {result}, {capture.recall(result)});
}

void drop_out_backward(Capture& capture, NodeId id) {
  pend(capture, id, capture.keeps[id].masks, capture.gradients[id].over);
}

/// Which windows an element was the largest of: 2.55 ps an element on an H200, 1.4 more for each further window that
/// holds it, in either size of elements, while it streams 4.24 TB/s (profiles of compiled steps, 2026-11-29).
std::int64_t search_bytes(const Capture& capture, NodeId id) {
  const graph::Window& window = std::get<graph::MaxPool>(capture.node(id).kind).window;
  const std::int64_t windows = base::ceil_div(window.kernel.height, window.stride.height) *
                               base::ceil_div(window.kernel.width, window.stride.width);
  const double each = 10.8 + 5.9 * static_cast<double>(windows - 1);
  return static_cast<std::int64_t>(each * static_cast<double>(capture.step.batch * capture.node(id).input.elements()));
}

void max_pool_backward(Capture& capture, NodeId id) {
  capture.realise(id, capture.gradients[id], id, Category::activation_gradients);
  const NodeId input = capture.node(id).inputs.front();
  if (capture.last[input]) {
    capture.gradients[id].inner += capture.step.value_size(input);
  }
  capture.gradients[id].least += search_bytes(capture, id);
  pend(capture, id, {capture.keeps[id].offsets}, {});
}

/// PyTorch's own kernel, which is given the pool's input.
void adaptive_pool_backward(Capture& capture, NodeId id) {
  const NodeId input = capture.node(id).inputs.front();
  const BufferId incoming = capture.realise(id, capture.gradients[id], id, Category::activation_gradients);
  if (is_mean(capture.node(id))) {
    capture.deliver(input, {.sources = {incoming}});
    return;
  }
  const BufferId outgoing = capture.map_buffer(id, input, Category::activation_gradients);
  capture.call_library(id, {incoming, capture.recall(capture.keeps[id].input)}, {outgoing},
                       {.node = id, .ops = {capture.average_op(id, OpKind::avg_pool_backward)}});
  capture.deliver(input, {.buffer = outgoing, .sources = {outgoing}});
}

/// The same gradient goes to all.
void pass_on(Capture& capture, NodeId id) {
  const std::vector<NodeId>& inputs = capture.node(id).inputs;
  Value gradient = capture.gradients[id];
  if (inputs.size() > 1) {
    gradient.over.clear();
  }
  for (const NodeId input : inputs) {
    capture.deliver(input, gradient);
  }
}

/// Gradients of maps of another size.
void spread(Capture& capture, NodeId id) {
  const NodeId input = capture.node(id).inputs.front();
  Value& gradient = capture.gradients[id];
  capture.realise(id, gradient, id, Category::activation_gradients);
  const BufferId outgoing = capture.map_buffer(id, input, Category::activation_gradients);
  capture.pointwise(id, {.reads = gradient.sources, .writes = {outgoing}, .trials = 2});
  capture.deliver(input, {.buffer = outgoing, .sources = {outgoing}, .over = {outgoing}});
}

/// Added to zeros, in fp32.
void resize_backward(Capture& capture, NodeId id) {
  const NodeId input = capture.node(id).inputs.front();
  const std::int64_t bytes = capture.step.batch * capture.node(input).output.elements() * kFp32;
  const BufferId sums = capture.buffer(id, bytes, base::DType::f32, Category::activation_gradients);
  capture.pointwise(id, {.reads = capture.gradients[id].sources, .writes = {sums}, .trials = 2});
  capture.deliver(input, {.sources = {sums}});
}

struct BackwardVisitor {
  Capture& capture;
  NodeId id;

  void operator()(const graph::Image& /*unused*/) const {}
  void operator()(const graph::Convolution& /*unused*/) const { convolve_backward(capture, id); }
  void operator()(const graph::BatchNorm& norm) const {
    if (norm.frozen) {
      pass_on(capture, id);
    } else {
      normalise_backward(capture, id);
    }
  }
  void operator()(const graph::Activation& /*unused*/) const { activate_backward(capture, id); }
  void operator()(const graph::MaxPool& /*unused*/) const { max_pool_backward(capture, id); }
  void operator()(const graph::AveragePool& /*unused*/) const { spread(capture, id); }
  void operator()(const graph::AdaptiveAveragePool& /*unused*/) const { adaptive_pool_backward(capture, id); }
  void operator()(const graph::Linear& /*unused*/) const { multiply_rows_backward(capture, id); }
  void operator()(const graph::Dropout& /*unused*/) const { drop_out_backward(capture, id); }
  void operator()(const graph::Add& /*unused*/) const { pass_on(capture, id); }
  void operator()(const graph::Multiply& /*unused*/) const { pass_on(capture, id); }
  void operator()(const graph::Concatenate& /*unused*/) const { pass_on(capture, id); }
  void operator()(const graph::Resize& /*unused*/) const { resize_backward(capture, id); }
  void operator()(const graph::Flatten& /*unused*/) const { pass_on(capture, id); }
  void operator()(const graph::LayerNorm& /*unused*/) const { spread(capture, id); }
  void operator()(const graph::Softmax& /*unused*/) const { spread(capture, id); }
  void operator()(const graph::Loss& /*unused*/) const {}
};

}  // namespace

void capture_backward(Capture& capture) {
  capture.in_backward = true;
  const std::size_t nodes = capture.step.network.nodes.size();
  const std::size_t parameters = parameter_index(capture, nodes, 0);
  capture.result.gradients.assign(parameters, kNoBuffer);
  capture.result.relaid.assign(parameters, false);
  for (const NodeId output : capture.step.network.nodes.back().inputs) {
    const BufferId tangent = capture.map_buffer(output, output, Category::activation_gradients);
    capture.result.backward.buffers[tangent].given = true;
    capture.deliver(output, {.buffer = tangent, .sources = {tangent}});
  }
  for (NodeId id = nodes - 1; id-- > kFirstNode;) {
    if (capture.gradients[id].exists()) {
      std::visit(BackwardVisitor{capture, id}, capture.node(id).kind);
    }
  }
}

}  // namespace vggplan::lowering::compiled
