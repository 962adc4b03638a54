// SPDX-License-Identifier: MIT
// What PyTorch 2.11 starts for each layer, read from profiles of whole training steps
// (tests/data/measurements/kernel_profiles.jsonl): convolution and bias addition are two operations,
// pooling backward fills its output with zeros first, autocast converts every weight anew in each step.
#include "vggplan/lowering/ops.hpp"

#include <utility>
#include <variant>

#include "lowering/optimizer_ops.hpp"

namespace vggplan::lowering {
namespace {

using base::Bytes;
using base::DType;
using base::Flops;
using base::Phase;
using timing::Op;
using timing::OpKind;

/// Emits the ops of one visit after the other; keeps what all ops of a visit share.
class Emitter {
 public:
  Emitter(const graph::Network& network, const job::Job& job)
      : network_(network), job_(job), type_(job::activation_type(job.precision)) {}

  void forward(std::size_t layer, bool recompute) {
    start(layer, recompute ? Phase::backward : Phase::forward, recompute);
    if (layer == 0) {
      cast_input();
    }
    std::visit([this](const auto& kind) { forward_of(kind); }, network_.layers[layer].kind);
  }

  void backward(std::size_t layer) {
    start(layer, Phase::backward, false);
    std::visit([this](const auto& kind) { backward_of(kind); }, network_.layers[layer].kind);
  }

  void loss(Phase phase) {
    start(timing::kNoLayer, phase, false);
    const std::int64_t logits = job_.batch * network_.classes;
    // log_softmax and nll_loss; backward starts with the gradient of the loss itself (one element).
    Op op = make(phase == Phase::forward ? OpKind::loss_forward : OpKind::loss_backward, logits, 2, 2);
    op.launches = phase == Phase::forward ? 2 : 4;
    push(op);
    if (job::is_autocast(job_.precision)) {
      push(cast(logits, type_, DType::f32));
    }
  }

  void optimizer() {
    start(timing::kNoLayer, Phase::optimizer, false);
    append_optimizer_ops(job_, graph::count(network_).parameters, parameter_tensors(network_), ops_);
  }

  void accumulate() {
    const std::int64_t parameters = graph::count(network_).parameters;
    start(timing::kNoLayer, Phase::backward, false);
    Op op = make_bytes(OpKind::grad_accumulate, 2 * parameters * parameter_size(), parameters * parameter_size());
    op.launches = parameter_tensors(network_);
    op.after_first = true;
    push(op);
  }

  std::vector<Op> take() { return std::move(ops_); }

 private:
  void start(std::size_t layer, Phase phase, bool recompute) {
    layer_ = layer;
    phase_ = phase;
    recompute_ = recompute;
  }

  [[nodiscard]] const graph::Layer& layer() const { return network_.layers[layer_]; }
  [[nodiscard]] std::int64_t size() const { return base::size_of(type_); }
  [[nodiscard]] std::int64_t parameter_size() const {
    return base::size_of(job::parameter_type(job_.precision));
  }
  [[nodiscard]] std::int64_t in_elements() const { return job_.batch * layer().input.elements(); }
  [[nodiscard]] std::int64_t out_elements() const { return job_.batch * layer().output.elements(); }
  [[nodiscard]] bool training() const { return job_.mode == job::Mode::train; }

  Op make_bytes(OpKind kind, std::int64_t read, std::int64_t written) const {
    Op op;
    op.kind = kind;
    op.phase = phase_;
    op.layer = layer_;
    op.layout = job_.layout;
    op.type = type_;
    op.read = Bytes(read);
    op.written = Bytes(written);
    op.recompute = recompute_;
    return op;
  }

  /// `elements` of the activation type, read and written so many times.
  Op make(OpKind kind, std::int64_t elements, std::int64_t reads, std::int64_t writes) const {
    Op op = make_bytes(kind, reads * elements * size(), writes * elements * size());
    op.extent = {elements, 1, 1, 1, 1};
    return op;
  }

  Op shaped(Op op, const graph::Shape& shape) const {
    op.extent = {job_.batch, shape.channels, shape.channels, shape.height, shape.width};
    return op;
  }

  Op cast(std::int64_t elements, DType from, DType to) const {
    Op op = make_bytes(OpKind::cast, elements * base::size_of(from), elements * base::size_of(to));
    op.extent = {elements, 1, 1, 1, 1};
    return op;
  }

  void push(Op op) { ops_.push_back(op); }

  void cast_input() {
    if (job::is_autocast(job_.precision)) {
      push(cast(in_elements(), DType::f32, type_));
    }
  }

  /// Autocast keeps no copy of a weight beyond the step; gradients are cast back.
  void cast_parameters(std::int64_t weights, std::int64_t biases, bool to_parameter) {
    if (!job::is_autocast(job_.precision)) {
      return;
    }
    for (const std::int64_t elements : {weights, biases}) {
      push(to_parameter ? cast(elements, type_, DType::f32) : cast(elements, DType::f32, type_));
    }
  }

  Op convolution(OpKind kind, const graph::Conv2d& conv) const {
    const std::int64_t weights = conv.in_channels * conv.out_channels * 9;
    Op op = make_bytes(kind, 0, 0);
    op.math = job::convolution_math(job_.precision);
    op.extent = {job_.batch, conv.in_channels, conv.out_channels, layer().output.height, layer().output.width};
    op.flops = Flops(2 * weights * job_.batch * layer().output.height * layer().output.width);
    const Bytes in(in_elements() * size());
    const Bytes out(out_elements() * size());
    const Bytes weight(weights * size());
    op.read = kind == OpKind::conv_forward ? in + weight : kind == OpKind::conv_input_grad ? out + weight : in + out;
    op.written = kind == OpKind::conv_forward ? out : kind == OpKind::conv_input_grad ? in : weight;
    return op;
  }

  void forward_of(const graph::Conv2d& conv) {
    cast_parameters(conv.in_channels * conv.out_channels * 9, conv.out_channels, false);
    push(convolution(OpKind::conv_forward, conv));
    push(shaped(make(OpKind::bias_add, out_elements(), 1, 1), layer().output));
  }
  void backward_of(const graph::Conv2d& conv) {
    push(shaped(make(OpKind::bias_grad, out_elements(), 1, 0), layer().output));
    if (layer_ != 0) {
      push(convolution(OpKind::conv_input_grad, conv));
    }
    push(convolution(OpKind::conv_weight_grad, conv));
    cast_parameters(conv.in_channels * conv.out_channels * 9, conv.out_channels, true);
  }

  void forward_of(const graph::BatchNorm2d&) {
    if (!training()) {
      push(shaped(make(OpKind::batch_norm_inference, out_elements(), 1, 1), layer().output));
      return;
    }
    Op op = shaped(make(OpKind::batch_norm_forward, out_elements(), 2, 1), layer().output);
    op.launches = 2;  // num_batches_tracked += 1 is one of them
    push(op);
  }
  void backward_of(const graph::BatchNorm2d&) {
    push(shaped(make(OpKind::batch_norm_backward, out_elements(), 4, 1), layer().output));
  }

  void forward_of(const graph::Relu&) {
    push(shaped(make(OpKind::relu_forward, out_elements(), 1, 1), layer().output));
  }
  void backward_of(const graph::Relu&) {
    push(shaped(make(OpKind::relu_backward, out_elements(), 2, 1), layer().output));
  }

  // Pooling saves the place of each maximum as int64.
  void forward_of(const graph::MaxPool2d&) {
    push(shaped(make_bytes(OpKind::max_pool_forward, in_elements() * size(), out_elements() * (size() + 8)),
                layer().input));
  }
  void backward_of(const graph::MaxPool2d&) {
    push(make(OpKind::fill, in_elements(), 0, 1));
    push(shaped(make_bytes(OpKind::max_pool_backward, out_elements() * (size() + 8), in_elements() * size()),
                layer().input));
  }

  void forward_of(const graph::AdaptiveAvgPool2d&) {
    push(shaped(make_bytes(OpKind::avg_pool_forward, in_elements() * size(), out_elements() * size()), layer().input));
  }
  void backward_of(const graph::AdaptiveAvgPool2d&) {
    push(shaped(make_bytes(OpKind::avg_pool_backward, out_elements() * size(), in_elements() * size()),
                layer().input));
  }

  // A channels_last map must be rewritten to be seen as one vector per image; a contiguous one is viewed.
  void forward_of(const graph::Flatten&) {
    if (job_.layout == base::Layout::nhwc && layer().input.height * layer().input.width > 1) {
      push(make(OpKind::copy, in_elements(), 1, 1));
    }
  }
  void backward_of(const graph::Flatten&) {}

  Op linear(OpKind kind, const graph::Linear& linear) const {
    const std::int64_t weights = linear.in_features * linear.out_features;
    Op op = make_bytes(kind, 0, 0);
    op.math = job::linear_math(job_.precision);
    op.extent = {job_.batch, linear.in_features, linear.out_features, 1, 1};
    op.flops = Flops(2 * weights * job_.batch);
    const Bytes in(job_.batch * linear.in_features * size());
    const Bytes out(job_.batch * linear.out_features * size());
    const Bytes weight(weights * size());
    op.read = kind == OpKind::linear_forward       ? in + weight
              : kind == OpKind::linear_input_grad ? out + weight
                                                  : in + out;
    op.written = kind == OpKind::linear_forward ? out : kind == OpKind::linear_input_grad ? in : weight;
    return op;
  }

  void forward_of(const graph::Linear& kind) {
    cast_parameters(kind.in_features * kind.out_features, kind.out_features, false);
    push(linear(OpKind::linear_forward, kind));
  }
  void backward_of(const graph::Linear& kind) {
    push(linear(OpKind::linear_input_grad, kind));
    push(linear(OpKind::linear_weight_grad, kind));
    push(shaped(make(OpKind::bias_grad, out_elements(), 1, 0), layer().output));
    cast_parameters(kind.in_features * kind.out_features, kind.out_features, true);
  }

  // The mask takes one byte per element; in evaluation nothing runs.
  void forward_of(const graph::Dropout&) {
    if (training()) {
      push(make_bytes(OpKind::dropout_forward, out_elements() * size(), out_elements() * (size() + 1)));
    }
  }
  void backward_of(const graph::Dropout&) {
    push(make_bytes(OpKind::dropout_backward, out_elements() * (size() + 1), out_elements() * size()));
  }

  const graph::Network& network_;
  const job::Job& job_;
  DType type_;
  std::size_t layer_{timing::kNoLayer};
  Phase phase_{Phase::forward};
  bool recompute_{false};
  std::vector<Op> ops_{};
};

}  // namespace

std::vector<timing::Op> lower_ops(const graph::Network& network, const job::Job& job,
                                  const std::vector<Segment>& segments) {
  Emitter emitter(network, job);
  bool in_forward = true;
  const auto leave_forward = [&] {
    if (in_forward) {
      emitter.loss(Phase::forward);
      emitter.loss(Phase::backward);
      in_forward = false;
    }
  };
  for (const Visit& visit : schedule(network, segments, job.mode)) {
    switch (visit.pass) {
      case Pass::forward: emitter.forward(visit.layer, false); break;
      case Pass::recompute:
        leave_forward();
        emitter.forward(visit.layer, true);
        break;
      case Pass::backward:
        leave_forward();
        emitter.backward(visit.layer);
        break;
    }
  }
  if (job.mode == job::Mode::train) {
    if (job.accumulation > 1) {
      emitter.accumulate();
    }
    emitter.optimizer();
  }
  return emitter.take();
}

}  // namespace vggplan::lowering
