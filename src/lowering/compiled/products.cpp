// SPDX-License-Identifier: MIT
// Convolutions and Linear layers: calls of libraries, copies of their weights, sums for their biases.
#include "lowering/compiled/capture_state.hpp"

namespace vggplan::lowering::compiled {
namespace {

using memory::Category;
using timing::OpKind;

void multiply(Capture& capture, NodeId id, OpKind kind, std::vector<BufferId> reads, BufferId write) {
  capture.launch({.reads = std::move(reads), .writes = {write}},
                 {.node = id, .product = true, .ops = {capture.product_op(id, kind)}});
}

/// A copy of the weight, in 16 bits or in channels_last; nothing where the parameter itself will do.
BufferId copy_weight(Capture& capture, NodeId id, bool several_taps) {
  const Step& step = capture.step;
  const std::int64_t elements = graph::parameter_tensors(capture.node(id)).front().elements;
  const bool turns = capture.turned && !step.nhwc() && several_taps;
  if (!step.autocast && !turns) {
    return kNoBuffer;
  }
  const BufferId copy = capture.buffer(id, elements * step.activation_bytes, capture.type(), Category::weight_copies);
  capture.launch(
      {.writes = {copy}, .trials = turns ? 1 : 2},
      {.node = id,
       .cast = true,
       .ops = {capture.stream(capture.type(), elements * step.parameter_bytes, elements * step.activation_bytes)}});
  return copy;
}

/// The image as convolutions take it, once for all of them.
void take_image(Capture& capture, NodeId id) {
  const Step& step = capture.step;
  if (capture.image != kNoBuffer) {
    return;
  }
  capture.image = capture.values[0].buffer;
  const bool turns = capture.turned && !step.nhwc() && step.network.input.channels > 1;
  if (step.autocast || turns) {
    const BufferId copy = capture.buffer(id, step.activation_size(step.network.input), capture.type(), Category::input);
    capture.pointwise(id, {.reads = {capture.image}, .writes = {copy}, .trials = turns ? 1 : 2});
    capture.image = copy;
  }
}

}  // namespace

void convolve(Capture& capture, NodeId id) {
  const Step& step = capture.step;
  BufferId& weight = capture.weights[id];
  const graph::Node& node = capture.node(id);
  const auto& conv = std::get<graph::Convolution>(node.kind);
  const NodeId input = node.inputs.front();
  const auto take_weight = [&] { weight = copy_weight(capture, id, conv.taps() > 1); };
  if (step.autocast) {
    take_weight();
  }
  if (input == 0) {
    take_image(capture, id);
  }
  if (!capture.training && !step.autocast) {  // in training they are turned ahead of all else
    take_weight();
  }
  const BufferId operand = input == 0 ? capture.image : capture.operand(id, input);
  const BufferId raw = capture.map_buffer(id, id, Category::activations);
  Kernel kernel{.reads = {operand}, .writes = {raw}, .own = true};
  if (weight != kNoBuffer) {
    kernel.reads.push_back(weight);
  }
  capture.launch(std::move(kernel), {.node = id,
                                     .passes = {ConvPass::forward},
                                     .cast = true,
                                     .ops = {capture.convolution_op(id, OpKind::conv_forward)}});
  Value& value = capture.values[id];
  value = {.buffer = conv.bias ? kNoBuffer : raw, .sources = {raw}, .over = {raw}};
  if (step.needs_gradient(id)) {
    capture.keeps[id].input = capture.keep(operand);
    if (weight != kNoBuffer) {
      capture.keeps[id].weight = capture.keep(weight);
    }
  }
}

void multiply_rows(Capture& capture, NodeId id) {
  const Step& step = capture.step;
  const graph::Node& node = capture.node(id);
  const auto& linear = std::get<graph::Linear>(node.kind);
  const NodeId input = node.inputs.front();
  const BufferId weight = copy_weight(capture, id, false);
  const BufferId operand = capture.operand(id, input);
  std::vector<BufferId> reads{operand};
  if (weight != kNoBuffer) {
    reads.push_back(weight);
    if (linear.bias) {
      const BufferId bias =
          capture.buffer(id, linear.out_features * step.activation_bytes, capture.type(), Category::weight_copies);
      capture.pointwise(id, {.writes = {bias}});
      reads.push_back(bias);
    }
  }
  const BufferId raw = capture.map_buffer(id, id, Category::activations);
  multiply(capture, id, OpKind::linear_forward, std::move(reads), raw);
  // A bias whose readers are all pointwise is added there, which makes no kernel more (unfuse_bias_add_to_pointwise).
  capture.values[id] = {.buffer = raw, .sources = {raw}, .over = {raw}};
  if (node.trained) {
    capture.keeps[id].input = capture.keep(operand);
  }
  if (weight != kNoBuffer && step.needs_gradient(input)) {
    capture.keeps[id].weight = capture.keep(weight);
  }
}

void turn_weights(Capture& capture) {
  for (NodeId id = kFirstNode; id < capture.step.network.nodes.size(); ++id) {
    const auto* conv = std::get_if<graph::Convolution>(&capture.node(id).kind);
    if (conv == nullptr) {
      continue;
    }
    capture.weights[id] = copy_weight(capture, id, conv->taps() > 1);
    if (capture.node(id).inputs.front() == 0) {
      take_image(capture, id);
    }
  }
}

namespace {

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
  return made;
}

}  // namespace

void convolve_backward(Capture& capture, NodeId id) {
  const NodeId input = capture.node(id).inputs.front();
  const Keeps& keeps = capture.keeps[id];
  // What reads the convolution may lie contiguous: its gradient is turned.
  const bool lies_otherwise = capture.turned && !capture.last[capture.contiguous_reader(id)];
  const BufferId incoming = incoming_gradient(capture, id);
  std::vector<BufferId> reads{incoming, capture.recall(keeps.input)};
  std::vector<BufferId> returns;
  Call call{.node = id};
  if (lies_otherwise) {
    call.copied = capture.step.value_size(id);
    call.ops.push_back(capture.stream(capture.type(), call.copied, call.copied));
  }
  if (keeps.weight != kNoBuffer) {
    reads.push_back(capture.recall(keeps.weight));
  }
  BufferId outgoing = kNoBuffer;
  if (capture.step.needs_gradient(input)) {
    outgoing = capture.buffer(id, capture.step.activation_size(capture.node(id).input), capture.type(),
                              Category::activation_gradients);
    returns.push_back(outgoing);
    call.passes.push_back(ConvPass::input_gradient);
    call.ops.push_back(capture.convolution_op(id, OpKind::conv_input_grad));
  }
  BufferId weight = kNoBuffer;
  if (capture.node(id).trained) {
    weight = parameter_gradient(capture, id, 0, capture.type());
    returns.push_back(weight);
    call.passes.push_back(ConvPass::weight_gradient);
    call.ops.push_back(capture.convolution_op(id, OpKind::conv_weight_grad));
  }
  capture.call_library(id, std::move(reads), returns, std::move(call));
  if (weight != kNoBuffer) {
    hand_over_weight(capture, id, weight);
    capture.result.relaid[parameter_index(capture, id, 0)] =
        capture.turned && !capture.step.nhwc() && std::get<graph::Convolution>(capture.node(id).kind).taps() > 1;
  }
  if (outgoing != kNoBuffer) {
    capture.deliver(input, {.buffer = outgoing, .sources = {outgoing}});
  }
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
    multiply(capture, id, OpKind::linear_input_grad, std::move(reads), outgoing);
    capture.deliver(input, {.buffer = outgoing, .sources = {outgoing}, .over = {outgoing}});
  }
  if (capture.node(id).trained) {
    const BufferId weight = parameter_gradient(capture, id, 0, capture.type());
    multiply(capture, id, OpKind::linear_weight_grad, {incoming, capture.recall(keeps.input)}, weight);
    hand_over_weight(capture, id, weight);
  }
}

}  // namespace vggplan::lowering::compiled
