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

/// The buffer of a parameter's gradient, in the type of the parameter.
BufferId parameter_gradient(Capture& capture, NodeId id, std::size_t which, base::DType type) {
  const std::int64_t elements = graph::parameter_tensors(capture.node(id))[which].elements;
  return capture.buffer(id, elements * base::size_of(type), type, Category::gradients);
}

/// Under autocast gradients of weights are cast back.
void hand_over_weight(Capture& capture, NodeId id, BufferId gradient) {
  if (!capture.step.autocast) {
    capture.hand_over(id, 0, gradient);
    return;
  }
  const BufferId cast = parameter_gradient(capture, id, 0, base::DType::f32);
  capture.pointwise(id, {.reads = {gradient}, .writes = {cast}, .trials = 2});
  capture.hand_over(id, 0, cast);
}

struct Sum {
  std::int64_t length{};
  std::int64_t outputs{};
  bool outer{};
  std::int64_t splits{};
};

/// Of the gradient of a bias.
Sum sum_of(const Capture& capture, NodeId id) {
  const graph::Shape& shape = capture.node(id).output;
  const bool rows = capture.last[capture.contiguous_reader(id)] || shape.height * shape.width == 1;
  Sum sum{capture.step.batch * shape.height * shape.width, shape.channels, rows, 1};
  sum.splits = reduction_splits(capture.step.device, sum.length, sum.outputs, sum.outer);
  return sum;
}

/// Whether the node ends with a bias whose gradient is the sum of the node's own.
bool sums_bias(const Capture& capture, NodeId id) {
  return capture.node(id).trained && graph::parameter_tensors(capture.node(id)).size() > 1 &&
         capture.result.gradients[parameter_index(capture, id, 1)] == kNoBuffer;
}

/// The gradient of a bias, of a sum that is written already.
void bias_gradient(Capture& capture, NodeId id, BufferId incoming) {
  const Sum sum = sum_of(capture, id);
  const BufferId out = parameter_gradient(capture, id, 1, capture.parameter_type());
  if (sum.splits > 1) {
    const BufferId parts = capture.buffer(id, sum.splits * sum.outputs * kFp32, base::DType::f32, Category::other);
    capture.pointwise(id, {.reads = {incoming}, .writes = {parts}});
    capture.pointwise(id, {.reads = {parts}, .writes = {out}});
  } else {
    capture.pointwise(id, {.reads = {incoming}, .writes = {out}});
  }
  capture.hand_over(id, 1, out);
}

/// The incoming gradient of a convolution or a Linear layer, and with it the gradient of the bias: in one kernel where
/// the sum is not split, or into the rows of the map, which the loops of both walk alike.
BufferId incoming_gradient(Capture& capture, NodeId id) {
  Value& gradient = capture.gradients[id];
  const bool bias = sums_bias(capture, id);
  const Sum sum = sum_of(capture, id);
  const bool by_rows = sum.splits > 1 && sum.outer && sum.splits * capture.node(id).output.width == sum.length;
  if (!bias || gradient.buffer != kNoBuffer || (sum.splits > 1 && !by_rows)) {
    const BufferId made = capture.realise(id, gradient, id, Category::activation_gradients);
    if (bias) {
      bias_gradient(capture, id, made);
    }
    return made;
  }
  const BufferId made = capture.map_buffer(id, id, Category::activation_gradients);
  const BufferId out = parameter_gradient(capture, id, 1, capture.parameter_type());
  const BufferId parts =
      by_rows ? capture.buffer(id, sum.splits * sum.outputs * kFp32, base::DType::f32, Category::other) : out;
  capture.pointwise(id,
                    {.reads = gradient.sources,
                     .writes = {made, parts},
                     .over = gradient.over,
                     .inner = gradient.inner,
                     .trials = by_rows ? 1 : 4},
                    gradient.least);
  if (by_rows) {
    capture.pointwise(id, {.reads = {parts}, .writes = {out}});
  }
  capture.hand_over(id, 1, out);
  gradient = {.buffer = made, .sources = {made}, .over = {made}};
  return made;
}

void convolve_backward(Capture& capture, NodeId id) {
  const NodeId input = capture.node(id).inputs.front();
  const Keeps& keeps = capture.keeps[id];
  // What reads the convolution may lie contiguous: its gradient is turned.
  const bool lies_otherwise = capture.turned && !capture.last[capture.contiguous_reader(id)];
  const BufferId incoming = incoming_gradient(capture, id);
  std::vector<BufferId> reads{incoming, capture.recall(keeps.input)};
  std::vector<BufferId> returns;
  Work work{.node = id};
  if (lies_otherwise) {
    work.copied = capture.step.value_size(id);
    work.ops.push_back(capture.stream(capture.type(), work.copied, work.copied));
  }
  if (keeps.weight != kNoBuffer) {
    reads.push_back(capture.recall(keeps.weight));
  }
  BufferId outgoing = kNoBuffer;
  if (capture.step.needs_gradient(input)) {
    outgoing = capture.buffer(id, capture.step.activation_size(capture.node(id).input), capture.type(),
                              Category::activation_gradients);
    returns.push_back(outgoing);
    work.passes.push_back(ConvPass::input_gradient);
    work.ops.push_back(capture.convolution_op(id, OpKind::conv_input_grad));
  }
  BufferId weight = kNoBuffer;
  if (capture.node(id).trained) {
    weight = parameter_gradient(capture, id, 0, capture.type());
    returns.push_back(weight);
    work.passes.push_back(ConvPass::weight_gradient);
    work.ops.push_back(capture.convolution_op(id, OpKind::conv_weight_grad));
  }
  capture.call(id, std::move(reads), returns, std::move(work));
  if (weight != kNoBuffer) {
    hand_over_weight(capture, id, weight);
    capture.result.relaid[parameter_index(capture, id, 0)] =
        capture.turned && !capture.step.nhwc() && std::get<graph::Convolution>(capture.node(id).kind).taps() > 1;
  }
  if (outgoing != kNoBuffer) {
    capture.deliver(input, {.buffer = outgoing, .sources = {outgoing}});
  }
}

void product(Capture& capture, NodeId id, OpKind kind, std::vector<BufferId> reads, BufferId write) {
  capture.launch({.reads = std::move(reads), .writes = {write}},
                 {.node = id, .product = true, .ops = {capture.product_op(id, kind)}});
}

void multiply_rows_backward(Capture& capture, NodeId id) {
  const NodeId input = capture.node(id).inputs.front();
  const Keeps& keeps = capture.keeps[id];
  const BufferId incoming = incoming_gradient(capture, id);
  if (capture.step.needs_gradient(input)) {
    const BufferId outgoing = capture.map_buffer(id, input, Category::activation_gradients);
    std::vector<BufferId> reads{incoming};
    if (keeps.weight != kNoBuffer) {
      reads.push_back(capture.recall(keeps.weight));
    }
    product(capture, id, OpKind::linear_input_grad, std::move(reads), outgoing);
    capture.deliver(input, {.buffer = outgoing, .sources = {outgoing}, .over = {outgoing}});
  }
  if (capture.node(id).trained) {
    const BufferId weight = parameter_gradient(capture, id, 0, capture.type());
    product(capture, id, OpKind::linear_weight_grad, {incoming, capture.recall(keeps.input)}, weight);
    hand_over_weight(capture, id, weight);
  }
}

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
  capture.call(id, {incoming, capture.recall(capture.keeps[id].input)}, {outgoing},
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
    BufferId tangent = capture.map_buffer(output, output, Category::activation_gradients);
    Buffer& given = capture.result.backward.buffers[tangent];
    given.given = true;
    capture.result.tangents.push_back(tangent);
    capture.deliver(output, {.buffer = tangent, .sources = {tangent}});
  }
  for (NodeId id = nodes - 1; id-- > kFirstNode;) {
    if (capture.gradients[id].exists()) {
      std::visit(BackwardVisitor{capture, id}, capture.node(id).kind);
    }
  }
}

}  // namespace vggplan::lowering::compiled
