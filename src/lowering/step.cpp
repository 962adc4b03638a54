// SPDX-License-Identifier: MIT
// One forward and one backward pass: nodes in order, and back.
#include "lowering/step.hpp"

#include <algorithm>
#include <utility>
#include <variant>

#include "lowering/compiled/capture.hpp"
#include "lowering/compiled/compiled_step.hpp"
#include "lowering/kinds/kinds.hpp"
#include "lowering/layout.hpp"

namespace vggplan::lowering {

Step::Step(const graph::Network& network_, const job::Job& job_, const std::vector<Segment>& segments_,
           const Framework& framework_, const Device& device_, const Variation& variation_)
    : network(network_),
      job(job_),
      segments(segments_),
      framework(framework_),
      device(device_),
      variation(variation_),
      flow(graph::flow_of(network_)) {
  batch = job.batch;
  autocast = job::is_autocast(job.precision);
  activation_bytes = base::size_of(job::activation_type(job.precision));
  parameter_bytes = base::size_of(job::parameter_type(job.precision));
  const std::size_t nodes = network.nodes.size();
  values.assign(nodes, kNothing);
  gradients.resize(nodes);
  saved.resize(nodes);
  kept.nodes.resize(nodes);
  for (const Segment& segment : segments) {
    packed.push_back(packed_of(network, flow, segment));
  }
  find_wide();
  convolution_layout = job.layout;
  if (job.compile != job::Compile::none && compiled::turns_convolutions(*this)) {
    convolution_layout = base::Layout::nhwc;
  }
  name_outputs();
  loss_value = tape.reserve();
  collect_parameters();
}

void Step::collect_parameters() {
  for (NodeId id = 0; id < network.nodes.size(); ++id) {
    first_parameter_.push_back(parameters.size());
    const graph::Node& here = node(id);
    if (id == 0 && here.trained) {
      const std::int64_t elements = job.batch * network.input.elements();
      parameters.push_back({.layer = layer_id(id), .elements = elements, .shard_elements = elements});
    }
    bool weight = true;
    for (const graph::ParameterTensor& tensor : graph::parameter_tensors(here)) {
      const std::int64_t shard_rows = base::ceil_div(tensor.rows, job.parallel.gpus);
      const bool of_convolution = std::holds_alternative<graph::Convolution>(here.kind);
      Parameter parameter{layer_id(id), tensor.elements, tensor.elements / tensor.rows * shard_rows,
                          std::exchange(weight, false) && of_convolution};
      parameter.trained = parameter.owned = here.trained;
      parameters.push_back(parameter);
    }
  }
  first_parameter_.push_back(parameters.size());
}

/// Whether the node returns the storage of its input.
bool returns_input(const Step& step, const graph::Node& node) {
  const auto* activation = std::get_if<graph::Activation>(&node.kind);
  const auto* dropout = std::get_if<graph::Dropout>(&node.kind);
  const auto* add = std::get_if<graph::Add>(&node.kind);
  return (activation != nullptr && activation->in_place) || (add != nullptr && add->in_place) ||
         (dropout != nullptr && (!step.training() || dropout->passes_through())) ||
         (std::holds_alternative<graph::Flatten>(node.kind) && !flatten_copies(node, step.job.layout));
}

/// aten/src/ATen/autocast_mode.h: what runs in fp32 casts its operands; what has no rule takes the widest of its
/// inputs. A compiled resize is never written: what reads it casts back.
void Step::find_wide() {
  wide.assign(network.nodes.size(), false);
  for (NodeId id = 0; id < network.nodes.size() && autocast; ++id) {
    const graph::Kind& kind = node(id).kind;
    const bool resizes = std::holds_alternative<graph::Resize>(kind) && job.compile == job::Compile::none;
    const bool in_fp32 = std::holds_alternative<graph::Image>(kind) || resizes ||
                         std::holds_alternative<graph::Softmax>(kind) || std::holds_alternative<graph::LayerNorm>(kind);
    const bool in_16_bits =
        std::holds_alternative<graph::Convolution>(kind) || std::holds_alternative<graph::Linear>(kind);
    const std::vector<NodeId>& inputs = node(id).inputs;
    wide[id] = in_fp32 || (!in_16_bits && std::ranges::any_of(inputs, [&](NodeId input) { return wide[input]; }));
  }
}

void Step::name_outputs() {
  for (const NodeId output : network.nodes.back().inputs) {
    NodeId id = output;
    while (job.compile == job::Compile::none && returns_input(*this, node(id))) {
      id = node(id).inputs.front();
    }
    outputs.emplace(id, tape.reserve());
  }
}

std::span<Parameter> Step::parameters_of(NodeId id) {
  return std::span(parameters).subspan(first_parameter_[id], first_parameter_[id + 1] - first_parameter_[id]);
}

TensorId Step::take(NodeId input, NodeId reader) {
  const bool last = flow.last_use[input] == reader && input != 0;  // the image is the caller's
  if (!last) {
    tape.retain(values[input]);
  }
  return values[input];
}

TensorId Step::allocate_output(NodeId id, Category category) {
  const std::int64_t bytes = value_size(id);
  const auto named = outputs.find(id);
  if (named == outputs.end() || saved[id].recomputed) {  // what a checkpoint computes again, Python does not see
    return tape.allocate(bytes, category, layer_id(id));
  }
  tape.allocate_as(named->second, bytes, category, layer_id(id));
  return named->second;
}

TensorId Step::gradient_of(NodeId id, NodeId value) {
  return tape.allocate(value_size(value), Category::activation_gradients, layer_id(id));
}

void Step::keep(NodeId id, TensorId& place, TensorId tensor) {
  place = tensor;
  if (tensor != kNothing) {
    kept.nodes[id] += uncounted_bytes(tensor);
  }
}

std::int64_t Step::uncounted_bytes(TensorId tensor) {
  if (counted_.size() <= tensor) {
    counted_.resize(tensor + 1);
  }
  const bool counted = counted_[tensor];
  counted_[tensor] = true;
  return counted ? 0 : tape.bytes(tensor);
}

/// torch/csrc/autograd/input_buffer.cpp: in place where nobody else holds what came first.
void Step::deliver(NodeId input, Gradient gradient) {
  if (gradient.tensor == kNothing) {
    return;
  }
  if (!flow.needs_gradient[input]) {
    tape.drop(gradient.tensor);
    return;
  }
  if (input == 0) {
    settle(*this, parameters.front(), gradient.tensor);
    return;
  }
  Gradient& held = gradients[input];
  if (held.tensor == kNothing) {
    held = gradient;
    return;
  }
  op(timing::OpKind::grad_accumulate, map(node(input).output));
  if (tape.has_one_holder(held.tensor) && !held.part) {
    tape.drop(gradient.tensor);
    return;
  }
  const TensorId sum = gradient_of(input, input);
  tape.drop(held.tensor);
  tape.drop(gradient.tensor);
  held = {sum};
}

void Step::kernel_buffers(NodeId id, std::int64_t sums, std::int64_t counters) {
  if (sums > 0 && variation.buffers) {
    const TensorId parts = tape.allocate(sums, Category::other, layer_id(id));
    tape.drop(tape.allocate(counters, Category::other, layer_id(id)));
    tape.drop(parts);
  }
}

void Step::begin_ops(NodeId id, base::Phase phase, bool recompute) {
  op_node_ = id;
  op_phase_ = phase;
  op_recompute_ = recompute;
}

void Step::op(timing::Op op) {
  if (ops == nullptr) {
    return;
  }
  op.phase = op_phase_;
  op.layer = op_node_;
  op.recompute = op_recompute_;
  op.records = training() && (op_node_ == timing::kNoLayer || needs_gradient(op_node_));
  ops->push_back(op);
}

timing::Op Step::op_of(timing::OpKind kind, const timing::Extent& extent, const timing::Filter& filter) const {
  timing::Op made =
      timing::make_op(kind, base::MathMode::fp32, job::activation_type(job.precision), job.layout, extent, filter);
  made.narrow_parameters = timing::is_batch_norm(kind) && parameter_bytes == 2;
  return made;
}

void Step::op(timing::OpKind kind, const timing::Extent& extent, const timing::Filter& filter) {
  if (ops != nullptr) {
    op(op_of(kind, extent, filter));
  }
}

void Step::op(timing::OpKind kind, base::DType type, const timing::Extent& extent) {
  if (ops != nullptr) {
    op(timing::make_op(kind, base::MathMode::fp32, type, base::Layout::nchw, extent));
  }
}

timing::Extent Step::map(const graph::Shape& shape) const {
  return {batch, shape.channels, shape.channels, shape.height, shape.width};
}

void run_forward(Step& step, const Run& run) {
  step.begin_ops(run.id, run.recompute ? base::Phase::backward : base::Phase::forward, run.recompute);
  step.saved[run.id].recomputed = run.recompute;
  step.values[run.id] = lowering_of(run.node.kind).forward(step, run);
}

namespace {

/// Variables of the model's forward() that end with this node.
void end_variables(Step& step, NodeId id) {
  for (const NodeId variable : step.flow.ends[id]) {
    step.tape.drop(step.values[variable]);
  }
}

/// GradScaler.scale: the loss times a scale that lives on the GPU.
TensorId scale_loss(Step& step) {
  const auto scalar = [&] { return step.tape.allocate(kFp32, Category::other, memory::kNoLayer); };
  if (!step.scales_loss()) {
    return kNothing;
  }
  if (!std::exchange(step.scaler_ready, true)) {
    scalar();  // the scale
    scalar();  // steps since it grew
  }
  return scalar();
}

void run_backward(Step& step, NodeId id, bool recomputed) {
  const Gradient incoming = std::exchange(step.gradients[id], {});
  if (incoming.tensor == kNothing) {
    return;
  }
  step.begin_ops(id, base::Phase::backward, false);
  const graph::Node& node = step.node(id);
  lowering_of(node.kind).backward(step, {id, node, true, recomputed}, incoming);
}

}  // namespace

void end_autocast(Step& step) {
  for (auto* copies : {&step.bias_copies, &step.weight_copies}) {
    for (const TensorId copy : *copies) {
      step.tape.drop(copy);
    }
    copies->clear();
  }
}

namespace {

void run_layers(Step& step) {
  const job::Mode mode = step.training() ? job::Mode::train : job::Mode::infer;
  for (const auto& [pass, id, segment] : schedule(step.network, step.segments, mode)) {
    if (pass != Pass::forward) {
      break;
    }
    const bool inside = segment != kNoSegment;
    if (inside && id == step.segments[segment].first) {
      const TensorId input = step.values[step.node(id).inputs.front()];
      step.tape.retain(input);
      step.keep(id, step.saved[step.packed[segment].first].segment_input, input);
      list_checkpoint(step, step.segments[segment], false);
    }
    gather_forward(step, id);
    run_forward(step, {id, step.node(id), step.training() && !inside && step.needs_gradient(id), false});
    reshard_parameters(step, id);
    end_variables(step, id);
  }
  end_forward(step);
}

void run_layers_back(Step& step) {
  begin_backward(step);
  std::size_t again = 0;  // visits just before that run a segment again
  const std::vector<Visit> visits = schedule(step.network, step.segments, step.job.mode);
  for (std::size_t at = 0; at < visits.size(); ++at) {
    const auto& [pass, id, segment] = visits[at];
    again += pass == Pass::recompute ? 1 : 0;
    if (pass != Pass::backward) {
      continue;
    }
    const bool checkpointed = segment != kNoSegment;
    if (checkpointed && id == step.packed[segment].last) {
      recompute(step, segment, std::span(visits).subspan(at - again, again));
      again = 0;
    }
    gather_backward(step, id);
    run_backward(step, id, checkpointed);
    reshard_parameters(step, id);
    reduce_gradients(step, id);
  }
  end_backward(step);
}

}  // namespace

void forward(Step& step) {
  step.values[0] = step.image;
  if (step.job.compile == job::Compile::none) {
    run_layers(step);
  } else {
    compiled_forward(step);
  }
  if (step.training()) {
    lose(step);
  }
  end_autocast(step);
  step.outputs_live = true;
}

void backward(Step& step, bool synchronize) {
  step.synchronizes = synchronize;
  const std::int64_t loss_bytes = step.autocast ? kFp32 : step.activation_bytes;
  const auto scalar = [&] { return step.tape.allocate(loss_bytes, Category::other, memory::kNoLayer); };
  const TensorId scaled = scale_loss(step);
  const TensorId seed = scalar();
  lose_backward(step, scaled == kNothing ? kNothing : scalar());
  if (step.job.compile == job::Compile::none) {
    run_layers_back(step);
  } else {
    compiled_backward(step);
  }
  step.tape.drop(seed);
  step.tape.drop(scaled);
}

}  // namespace vggplan::lowering
