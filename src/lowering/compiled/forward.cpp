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

bool draws(const Capture& capture, const graph::Node& node) {
  const auto* dropout = std::get_if<graph::Dropout>(&node.kind);
  return dropout != nullptr && capture.training && !dropout->passes_through();
}

/// Whether the node's value is best left to the kernel of the one node that reads it.
bool joins_reader(const Capture& capture, NodeId id) {
  return capture.readers[id] == 1 && is_pointwise(capture, capture.node(capture.first_reader[id]));
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
  const graph::Node& reader = capture.node(capture.first_reader[id]);
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
void drop_out(Capture& capture, NodeId id) {
  constexpr std::int64_t kSeedBytes = 8;
  const graph::Node& node = capture.node(id);
  const NodeId input = node.inputs.front();
  if (!draws(capture, node)) {
    capture.values[id] = capture.values[input];
    return;
  }
  if (capture.seeds == kNoBuffer) {
    const auto all =
        std::ranges::count_if(capture.step.network.nodes, [&](const graph::Node& n) { return draws(capture, n); });
    capture.seeds = capture.buffer(id, all * kSeedBytes, base::DType::i64, Category::other);
    capture.launch({.writes = {capture.seeds}}, {.node = id});
  }
  const std::int64_t bytes =
      capture.step.batch *
      (std::get<graph::Dropout>(node.kind).whole_channels ? node.output.channels : node.output.elements());
  const bool kept = capture.step.needs_gradient(id);
  Kernel kernel{.reads = capture.values[input].sources, .trials = 2};
  kernel.reads.push_back(capture.seeds);
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

  void operator()(const graph::Image& /*unused*/) const {}
  void operator()(const graph::Convolution& /*unused*/) const { convolve(capture, id); }
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
  void operator()(const graph::Dropout& /*unused*/) const { drop_out(capture, id); }
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

}  // namespace

void capture_forward(Capture& capture) {
  const Step& step = capture.step;
  const BufferId given =
      capture.result.forward.add({.bytes = step.batch * step.network.input.elements() * step.parameter_bytes,
                                  .type = capture.parameter_type(),
                                  .category = Category::input,
                                  .given = true});
  capture.values[0] = {.buffer = given, .sources = {given}};
  if (capture.training && !step.autocast) {
    turn_weights(capture);
  }
  for (NodeId id = kFirstNode; id < step.network.nodes.size(); ++id) {
    std::visit(ForwardVisitor{capture, id}, capture.node(id).kind);
  }
  for (const NodeId output : step.network.nodes.back().inputs) {
    const BufferId out = capture.realise(output, capture.values[output], output, Category::activations);
    capture.result.forward.buffers[out].output = true;
    capture.result.outputs.push_back(out);
  }
}

}  // namespace vggplan::lowering::compiled
