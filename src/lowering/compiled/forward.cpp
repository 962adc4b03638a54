// SPDX-License-Identifier: MIT
#include <algorithm>

#include "lowering/compiled/capture_state.hpp"
#include "lowering/kinds/kinds.hpp"

namespace vggplan::lowering::compiled {
namespace {

using memory::Category;
using timing::OpKind;

/// Whether inductor computes the node element by element, so that it joins its neighbours in one kernel.
bool is_pointwise(const Capture& capture, const graph::Node& node) {
  const auto* norm = std::get_if<graph::BatchNorm>(&node.kind);
  return std::holds_alternative<graph::Activation>(node.kind) || std::holds_alternative<graph::Add>(node.kind) ||
         std::holds_alternative<graph::Multiply>(node.kind) || std::holds_alternative<graph::Dropout>(node.kind) ||
         std::holds_alternative<graph::Resize>(node.kind) || std::holds_alternative<graph::Concatenate>(node.kind) ||
         (norm != nullptr && (!capture.training || norm->frozen));
}

NodeId reader_of(const Capture& capture, NodeId id) {
  for (NodeId reader = id + 1; reader < capture.step.network.nodes.size(); ++reader) {
    if (std::ranges::count(capture.node(reader).inputs, id) > 0) {
      return reader;
    }
  }
  return id;
}

bool draws(const Capture& capture, const graph::Node& node) {
  const auto* dropout = std::get_if<graph::Dropout>(&node.kind);
  return dropout != nullptr && capture.training && !dropout->passes_through();
}

/// Whether the node's value is best left to the kernel of the one node that reads it.
bool joins_reader(const Capture& capture, NodeId id) {
  return capture.readers[id] == 1 && is_pointwise(capture, capture.node(reader_of(capture, id)));
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

/// The image as convolutions take it.
BufferId copy_image(Capture& capture, NodeId id) {
  const Step& step = capture.step;
  Value& image = capture.values[0];
  const bool turns = capture.turned && !step.nhwc() && step.network.input.channels > 1;
  if (!step.autocast && !turns) {
    return image.buffer;
  }
  const BufferId copy = capture.buffer(id, step.activation_size(step.network.input), capture.type(), Category::input);
  Kernel kernel{.reads = {image.buffer}, .writes = {copy}, .trials = turns ? 1 : 2};
  capture.pointwise(id, std::move(kernel));
  return copy;
}

void convolve(Capture& capture, NodeId id, std::vector<BufferId>& weights, BufferId& image) {
  const Step& step = capture.step;
  const graph::Node& node = capture.node(id);
  const auto& conv = std::get<graph::Convolution>(node.kind);
  const NodeId input = node.inputs.front();
  const auto take_weight = [&] { weights[id] = copy_weight(capture, id, conv.taps() > 1); };
  if (step.autocast) {
    take_weight();
  }
  if (input == 0 && image == kNoBuffer) {
    image = copy_image(capture, id);
  }
  if (!capture.training && !step.autocast) {  // in training they are turned ahead of all else
    take_weight();
  }
  const BufferId operand = input == 0 ? image : capture.operand(id, input);
  const BufferId raw = capture.map_buffer(id, id, Category::activations);
  Kernel kernel{.reads = {operand}, .writes = {raw}, .own = true};
  if (weights[id] != kNoBuffer) {
    kernel.reads.push_back(weights[id]);
  }
  capture.launch(std::move(kernel), {.node = id,
                                     .passes = {ConvPass::forward},
                                     .cast = true,
                                     .ops = {capture.convolution_op(id, OpKind::conv_forward)}});
  Value& value = capture.values[id];
  value = {.buffer = conv.bias ? kNoBuffer : raw, .sources = {raw}, .over = {raw}};
  if (step.needs_gradient(id)) {
    capture.keeps[id].input = capture.keep(operand);
    if (weights[id] != kNoBuffer) {
      capture.keeps[id].weight = capture.keep(weights[id]);
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
  Kernel kernel{.reads = {operand}};
  if (weight != kNoBuffer) {
    kernel.reads.push_back(weight);
    if (linear.bias) {
      const BufferId bias =
          capture.buffer(id, linear.out_features * step.activation_bytes, capture.type(), Category::weight_copies);
      capture.pointwise(id, {.writes = {bias}});
      kernel.reads.push_back(bias);
    }
  }
  const BufferId raw = capture.map_buffer(id, id, Category::activations);
  kernel.writes = {raw};
  capture.launch(std::move(kernel),
                 {.node = id, .product = true, .ops = {capture.product_op(id, OpKind::linear_forward)}});
  // A bias whose readers are all pointwise is added there, unless it had to be cast (unfuse_bias_add_to_pointwise).
  const bool pending = linear.bias && weight == kNoBuffer && joins_reader(capture, id);
  capture.values[id] = {.buffer = pending ? kNoBuffer : raw, .sources = {raw}, .over = {raw}};
  if (node.trained) {
    capture.keeps[id].input = capture.keep(operand);
  }
  if (weight != kNoBuffer && step.needs_gradient(input)) {
    capture.keeps[id].weight = capture.keep(weight);
  }
}

/// Where neither a convolution nor a pool reads an activation, backward needs no more of it than its sign. `written`:
/// the activation itself is, in the same kernel; else whoever reads it computes it anew.
void keep_sign(Capture& capture, NodeId id, bool written) {
  Value& value = capture.values[id];
  const std::int64_t elements = capture.step.batch * capture.node(id).output.elements();
  const auto mask = [&] {
    const BufferId drawn = capture.buffer(id, elements, base::DType::u8, Category::other);
    capture.keeps[id].masks.push_back(capture.keep(drawn));
    return drawn;
  };
  if (!written) {
    capture.pointwise(id, {.reads = value.sources, .writes = {mask()}, .trials = 2});
    return;
  }
  const BufferId out = capture.map_buffer(id, id, Category::activations);
  capture.pointwise(id, {.reads = value.sources, .writes = {out, mask()}, .over = value.over, .trials = 2});
  value = {.buffer = out, .sources = {out}, .over = {out}};
}

void activate(Capture& capture, NodeId id) {
  const NodeId input = capture.node(id).inputs.front();
  const Value& from = capture.values[input];
  Value& value = capture.values[id];
  value = {.sources = from.sources, .over = capture.readers[input] == 1 ? from.over : std::vector<BufferId>{}};
  if (capture.last[input] != capture.last[id]) {
    value.over.clear();
  }
  const bool kept = capture.training && capture.step.needs_gradient(id);
  const graph::Node& reader = capture.node(reader_of(capture, id));
  const bool averaged = std::holds_alternative<graph::AdaptiveAveragePool>(reader.kind) && is_mean(reader);
  const bool resized = std::holds_alternative<graph::Resize>(reader.kind);
  if (kept && capture.readers[id] == 1 && (averaged || resized)) {
    keep_sign(capture, id, averaged);
  } else if (kept && !draws(capture, reader)) {
    capture.keeps[id].result = capture.keep(capture.realise(id, value, id, Category::activations));
  } else if (!joins_reader(capture, id)) {
    capture.realise(id, value, id, Category::activations);
  }
}

/// The mask is drawn anew in the kernel, and kept as a byte an element beside that of an activation before it.
void drop_out(Capture& capture, NodeId id, BufferId& seeds, std::int64_t draws_in_all) {
  constexpr std::int64_t kSeedBytes = 8;
  const graph::Node& node = capture.node(id);
  const NodeId input = node.inputs.front();
  if (!draws(capture, node)) {
    capture.values[id] = capture.values[input];
    return;
  }
  if (seeds == kNoBuffer) {
    seeds = capture.buffer(id, draws_in_all * kSeedBytes, base::DType::i64, Category::other);
    capture.launch({.writes = {seeds}}, {.node = id});
  }
  const std::int64_t bytes =
      capture.step.batch *
      (std::get<graph::Dropout>(node.kind).whole_channels ? node.output.channels : node.output.elements());
  const bool kept = capture.step.needs_gradient(id);
  Kernel kernel{.reads = capture.values[input].sources, .trials = 2};
  kernel.reads.push_back(seeds);
  const auto mask = [&] {
    const BufferId drawn = capture.buffer(id, bytes, base::DType::u8, Category::other);
    kernel.writes.push_back(drawn);
    capture.keeps[id].masks.push_back(capture.keep(drawn));
  };
  if (kept) {
    mask();
  }
  const BufferId out = capture.map_buffer(id, id, Category::activations);
  kernel.writes.push_back(out);
  const auto* before = std::get_if<graph::Activation>(&capture.node(input).kind);
  if (kept && before != nullptr && capture.keeps[input].result == kNoBuffer) {
    mask();
  }
  capture.pointwise(id, std::move(kernel));
  capture.values[id] = {.buffer = out, .sources = {out}, .over = {out}};
}

void max_pool(Capture& capture, NodeId id) {
  const NodeId input = capture.node(id).inputs.front();
  const BufferId operand = capture.operand(id, input);
  const BufferId out = capture.map_buffer(id, id, Category::activations);
  Kernel kernel{.reads = {operand}, .writes = {out}, .trials = 2};
  if (capture.training && capture.step.needs_gradient(id)) {
    const BufferId offsets = capture.buffer(id, capture.step.batch * capture.node(id).output.elements(),
                                            base::DType::u8, Category::pooling_indices);
    kernel.writes.push_back(offsets);
    capture.keeps[id].offsets = capture.keep(offsets);
  }
  capture.pointwise(id, std::move(kernel));
  capture.values[id] = {.buffer = out, .sources = {out}, .over = {out}};
}

bool is_same_size(const graph::Node& node) {
  return node.input.height == node.output.height && node.input.width == node.output.width;
}

/// Windows of at most 25 values are written out, others left to PyTorch's own kernel.
void adaptive_pool(Capture& capture, NodeId id) {
  const graph::Node& node = capture.node(id);
  const BufferId operand = capture.operand(id, node.inputs.front());
  const BufferId out = capture.map_buffer(id, id, Category::activations);
  Kernel kernel{.reads = {operand}, .writes = {out}, .trials = is_same_size(node) ? 2 : 1};
  if (is_same_size(node) || is_mean(node)) {
    capture.pointwise(id, std::move(kernel));
  } else {
    capture.launch(std::move(kernel), {.node = id, .ops = {capture.average_op(id, OpKind::avg_pool_forward)}});
  }
  capture.values[id] = {.buffer = out, .sources = {out}, .over = {out}};
  if (capture.step.needs_gradient(id) && !is_mean(node)) {
    capture.keeps[id].input = capture.keep(operand);
  }
}

void flatten(Capture& capture, NodeId id) {
  const graph::Node& node = capture.node(id);
  const NodeId input = node.inputs.front();
  Value& from = capture.values[input];
  const auto* pool = std::get_if<graph::AdaptiveAveragePool>(&capture.node(input).kind);
  const bool written_flat = pool != nullptr && (is_same_size(capture.node(input)) || is_mean(capture.node(input)));
  const bool copies = capture.last[input] && node.input.height * node.input.width > 1 && !written_flat;
  if (!copies) {
    capture.values[id] = from;
    return;
  }
  Value value{.sources = from.sources};
  capture.realise(id, value, id, Category::activations);
  capture.values[id] = value;
}

/// Of an addition or a product element by element; or of maps side by side.
void combine(Capture& capture, NodeId id) {
  Value& value = capture.values[id];
  for (const NodeId input : capture.node(id).inputs) {
    const Value& from = capture.values[input];
    value.sources.insert(value.sources.end(), from.sources.begin(), from.sources.end());
    if (capture.readers[input] == 1 && value.over.empty()) {  // of another size nothing will be written over it
      value.over = from.over;
    }
  }
  if (!joins_reader(capture, id)) {
    capture.realise(id, value, id, Category::activations);
  }
}

/// Whatever else makes a map of maps in one kernel.
void gather(Capture& capture, NodeId id) {
  Kernel kernel{.trials = 2};
  for (const NodeId input : capture.node(id).inputs) {
    kernel.reads.push_back(capture.operand(id, input));
  }
  const BufferId out = capture.map_buffer(id, id, Category::activations);
  kernel.writes = {out};
  capture.pointwise(id, std::move(kernel));
  capture.values[id] = {.buffer = out, .sources = {out}, .over = {out}};
}

struct ForwardVisitor {
  Capture& capture;
  NodeId id;
  std::vector<BufferId>& weights;
  BufferId& image;
  BufferId& seeds;
  std::int64_t draws_in_all;

  void operator()(const graph::Image& /*unused*/) const {}
  void operator()(const graph::Convolution& /*unused*/) const { convolve(capture, id, weights, image); }
  void operator()(const graph::BatchNorm& norm) const {
    if (capture.training && !norm.frozen) {
      normalise(capture, id);
    } else {
      combine(capture, id);
    }
  }
  void operator()(const graph::Activation& /*unused*/) const { activate(capture, id); }
  void operator()(const graph::MaxPool& /*unused*/) const { max_pool(capture, id); }
  void operator()(const graph::AveragePool& /*unused*/) const { gather(capture, id); }
  void operator()(const graph::AdaptiveAveragePool& /*unused*/) const { adaptive_pool(capture, id); }
  void operator()(const graph::Linear& /*unused*/) const { multiply_rows(capture, id); }
  void operator()(const graph::Dropout& /*unused*/) const { drop_out(capture, id, seeds, draws_in_all); }
  void operator()(const graph::Add& /*unused*/) const { combine(capture, id); }
  void operator()(const graph::Multiply& /*unused*/) const { combine(capture, id); }
  void operator()(const graph::Concatenate& /*unused*/) const { combine(capture, id); }
  void operator()(const graph::Resize& /*unused*/) const {
    capture.values[id] = {.sources = capture.values[capture.node(id).inputs.front()].sources};
    if (!joins_reader(capture, id)) {
      capture.realise(id, capture.values[id], id, Category::activations);
    }
  }
  void operator()(const graph::Flatten& /*unused*/) const { flatten(capture, id); }
  void operator()(const graph::LayerNorm& /*unused*/) const { gather(capture, id); }
  void operator()(const graph::Softmax& /*unused*/) const { gather(capture, id); }
  void operator()(const graph::Loss& /*unused*/) const {}
};

/// Contiguous weights that backward needs as well are turned before all else, the first of them before the image.
void turn_weights(Capture& capture, std::vector<BufferId>& weights, BufferId& image) {
  for (NodeId id = kFirstNode; id < capture.step.network.nodes.size(); ++id) {
    const auto* conv = std::get_if<graph::Convolution>(&capture.node(id).kind);
    if (conv == nullptr) {
      continue;
    }
    weights[id] = copy_weight(capture, id, conv->taps() > 1);
    if (capture.node(id).inputs.front() == 0 && image == kNoBuffer) {
      image = copy_image(capture, id);
    }
  }
}

}  // namespace

void capture_forward(Capture& capture) {
  const Step& step = capture.step;
  const std::size_t nodes = step.network.nodes.size();
  std::vector<BufferId> weights(nodes, kNoBuffer);
  const BufferId given =
      capture.result.forward.add({.bytes = step.batch * step.network.input.elements() * step.parameter_bytes,
                                  .type = capture.parameter_type(),
                                  .category = Category::input,
                                  .given = true});
  capture.values[0] = {.buffer = given, .sources = {given}};
  BufferId image = kNoBuffer;
  BufferId seeds = kNoBuffer;
  if (capture.training && !step.autocast) {
    turn_weights(capture, weights, image);
  }
  const auto random =
      std::ranges::count_if(step.network.nodes, [&](const graph::Node& n) { return draws(capture, n); });
  for (NodeId id = kFirstNode; id + 1 < nodes; ++id) {
    std::visit(ForwardVisitor{capture, id, weights, image, seeds, random}, capture.node(id).kind);
  }
  for (const NodeId output : step.network.nodes.back().inputs) {
    const BufferId out = capture.realise(output, capture.values[output], output, Category::activations);
    capture.result.forward.buffers[out].output = true;
    capture.result.outputs.push_back(out);
  }
}

}  // namespace vggplan::lowering::compiled
