// SPDX-License-Identifier: MIT
// What PyTorch 2.11 starts for each layer, read from profiles of whole training steps
// (tests/data/measurements/kernel_profiles.jsonl): convolution and bias addition are two operations,
// pooling backward fills its output with zeros first, autocast converts every weight anew in each step.
#include "vggplan/lowering/ops.hpp"

#include <utility>
#include <variant>

#include "lowering/layout.hpp"
#include "lowering/optimizer_ops.hpp"
#include "lowering/partition.hpp"

namespace vggplan::lowering {
namespace {

using base::DType;
using base::Layout;
using base::MathMode;
using base::Phase;
using timing::Extent;
using timing::Op;
using timing::OpKind;

/// What an operation saves for its backward (tools/autograd/derivatives.yaml), parameters included: a hook is called
/// for each inside of a checkpointed segment.
std::int64_t saved_tensors(const graph::Layer& layer) {
  if (std::holds_alternative<graph::BatchNorm2d>(layer.kind)) {
    return 7;  // input, weight, both running and both batch statistics, cuDNN's reserve
  }
  if (std::holds_alternative<graph::Conv2d>(layer.kind) || std::holds_alternative<graph::MaxPool2d>(layer.kind)) {
    return 2;  // input and weight; input and indices
  }
  return std::holds_alternative<graph::Relu>(layer.kind) ? 1 : 0;
}

/// Emits the ops of one visit after the other; keeps what all ops of a visit share.
class Emitter {
 public:
  Emitter(const graph::Network& network, const job::Job& job)
      : network_(network),
        job_(job),
        type_(job::activation_type(job.precision)),
        autocast_(job::is_autocast(job.precision)) {}

  void forward(std::size_t layer, bool recompute) {
    start(layer, recompute ? Phase::backward : Phase::forward, recompute);
    if (layer == 0 && autocast_) {
      push(OpKind::cast, {job_.batch, this->layer().input.elements(), 1, 1, 1});
    }
    std::visit([this](const auto& kind) { forward_of(kind); }, this->layer().kind);
  }

  /// Before the first layer of a segment, in forward and where it runs again.
  void checkpoint(const Segment& segment, bool recompute) {
    start(timing::kNoLayer, recompute ? Phase::backward : Phase::forward, recompute);
    Op op = timing::make_op(OpKind::checkpoint, MathMode::fp32, type_, job_.layout, {});
    op.tensors = 0;
    for (std::size_t i = segment.first; i < segment.last; ++i) {
      op.tensors += saved_tensors(network_.layers[i]);
    }
    push(op);
  }

  void backward(std::size_t layer) {
    start(layer, Phase::backward, false);
    std::visit([this](const auto& kind) { backward_of(kind); }, this->layer().kind);
  }

  void loss(Phase phase) {
    start(timing::kNoLayer, phase, false);
    push(phase == Phase::forward ? OpKind::loss_forward : OpKind::loss_backward,
         {job_.batch, network_.classes, 1, 1, 1});
  }

  void optimizer() {
    const Share held = held_gradients(network_, job_.parallel);
    if (job_.accumulation > 1) {
      start(timing::kNoLayer, Phase::backward, false);
      Op op = timing::make_op(OpKind::grad_accumulate, MathMode::fp32, job::parameter_type(job_.precision),
                              Layout::nchw, {held.elements, 1, 1, 1, 1});
      op.kernels = held.tensors;
      op.after_first = true;
      push(op);
    }
    append_optimizer_ops(job_, held, fullest_update(network_, job_.parallel), ops_);
  }

  std::vector<Op> take() { return std::move(ops_); }

 private:
  void start(std::size_t layer, Phase phase, bool recompute) {
    layer_ = layer;
    phase_ = phase;
    recompute_ = recompute;
  }

  [[nodiscard]] const graph::Layer& layer() const { return network_.layers[layer_]; }
  [[nodiscard]] bool training() const { return job_.mode == job::Mode::train; }

  void push(Op op) {
    op.phase = phase_;
    op.layer = layer_;
    op.recompute = recompute_;
    op.records = training();
    ops_.push_back(op);
  }
  void push(OpKind kind, const Extent& extent) {
    push(timing::make_op(kind, MathMode::fp32, type_, job_.layout, extent));
  }

  [[nodiscard]] Extent map(const graph::Shape& shape) const {
    return {job_.batch, shape.channels, shape.channels, shape.height, shape.width};
  }

  void cast_parameters(DType to) {
    if (!autocast_) {
      return;
    }
    for (const graph::ParameterTensor& tensor : graph::parameter_tensors(layer())) {
      push(timing::make_op(OpKind::cast, MathMode::fp32, to, Layout::nchw, {tensor.elements, 1, 1, 1, 1}));
    }
  }

  void convolution(OpKind kind, const graph::Conv2d& conv) {
    push(timing::make_op(
        kind, job::convolution_math(job_.precision), type_, job_.layout,
        {job_.batch, conv.in_channels, conv.out_channels, layer().output.height, layer().output.width}));
  }
  void forward_of(const graph::Conv2d& conv) {
    cast_parameters(type_);
    convolution(OpKind::conv_forward, conv);
    push(OpKind::bias_add, map(layer().output));
  }
  void backward_of(const graph::Conv2d& conv) {
    push(OpKind::bias_grad, map(layer().output));
    if (layer_ != 0) {
      convolution(OpKind::conv_input_grad, conv);
    }
    convolution(OpKind::conv_weight_grad, conv);
    cast_parameters(DType::f32);
  }

  void forward_of(const graph::BatchNorm2d&) {
    push(training() ? OpKind::batch_norm_forward : OpKind::batch_norm_inference, map(layer().output));
    if (training()) {  // num_batches_tracked += 1
      push(timing::make_op(OpKind::fill, MathMode::fp32, DType::i64, Layout::nchw, {1, 1, 1, 1, 1}));
    }
  }
  void backward_of(const graph::BatchNorm2d&) { push(OpKind::batch_norm_backward, map(layer().output)); }

  void forward_of(const graph::Relu&) { push(OpKind::relu_forward, map(layer().output)); }
  void backward_of(const graph::Relu&) { push(OpKind::relu_backward, map(layer().output)); }

  void forward_of(const graph::MaxPool2d&) { push(OpKind::max_pool_forward, map(layer().input)); }
  void backward_of(const graph::MaxPool2d&) { push(OpKind::max_pool_backward, map(layer().input)); }

  void average_pool(OpKind kind) {
    Extent extent = map(layer().input);
    extent.k = layer().output.height;
    push(kind, extent);
  }
  void forward_of(const graph::AdaptiveAvgPool2d&) { average_pool(OpKind::avg_pool_forward); }
  void backward_of(const graph::AdaptiveAvgPool2d&) { average_pool(OpKind::avg_pool_backward); }

  void forward_of(const graph::Flatten&) {
    if (flatten_copies(layer(), job_.layout)) {
      push(OpKind::copy, map(layer().input));
    }
  }
  void backward_of(const graph::Flatten&) {}

  void linear(OpKind kind, const graph::Linear& linear) {
    push(timing::make_op(kind, job::linear_math(job_.precision), type_, Layout::nchw,
                         {job_.batch, linear.in_features, linear.out_features, 1, 1}));
  }
  void forward_of(const graph::Linear& kind) {
    cast_parameters(type_);
    linear(OpKind::linear_forward, kind);
  }
  void backward_of(const graph::Linear& kind) {
    linear(OpKind::linear_input_grad, kind);
    linear(OpKind::linear_weight_grad, kind);
    // A row of outputs per image is what channels_last is: the same reduction.
    push(timing::make_op(OpKind::bias_grad, MathMode::fp32, type_, Layout::nhwc, map(layer().output)));
    cast_parameters(DType::f32);
  }

  void dropout(OpKind kind, const graph::Dropout& dropout) {
    if (training() && !dropout.passes_through()) {
      push(kind, map(layer().output));
    }
  }
  void forward_of(const graph::Dropout& kind) { dropout(OpKind::dropout_forward, kind); }
  void backward_of(const graph::Dropout& kind) { dropout(OpKind::dropout_backward, kind); }

  const graph::Network& network_;
  const job::Job& job_;
  DType type_;
  bool autocast_;
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
  const auto run = [&](const Visit& visit, bool recompute) {
    if (visit.segment != kNoSegment && segments[visit.segment].first == visit.layer) {
      emitter.checkpoint(segments[visit.segment], recompute);
    }
    emitter.forward(visit.layer, recompute);
  };
  for (const Visit& visit : schedule(network, segments, job.mode)) {
    switch (visit.pass) {
      case Pass::forward: run(visit, false); break;
      case Pass::recompute:
        leave_forward();
        run(visit, true);
        break;
      case Pass::backward:
        leave_forward();
        emitter.backward(visit.layer);
        break;
    }
  }
  if (job.mode == job::Mode::train) {
    emitter.optimizer();
  }
  return emitter.take();
}

}  // namespace vggplan::lowering
