// SPDX-License-Identifier: MIT
// Backward allocations, in the order of PyTorch's autograd engine: docs/how-memory-is-counted.md.
//
// A node allocates its gradients, then the incoming gradient dies, then what the node had saved.
// Under a checkpoint the saved tensors were unpacked into locals, so they die first.
#include <utility>
#include <variant>

#include "lowering/step_tape.hpp"

namespace vggplan::lowering {

namespace {

/// Frees what a node is done with: its incoming gradient and what it saved, in the node's order.
class Spent {
 public:
  Spent(StepTape& step, std::size_t layer, TensorId incoming) : step_(step), layer_(layer), incoming_(incoming) {}

  void free() {
    Saved& saved = step_.saved[layer_];
    if (!saved.recomputed) {
      step_.tape.drop(incoming_);
    } else {
      step_.tape.drop(std::exchange(saved.weight_copy, kNothing));
    }
    for (TensorId* kept :
         {&saved.input, &saved.result, &saved.mask, &saved.statistics[0], &saved.statistics[1], &saved.weight_copy}) {
      step_.tape.drop(std::exchange(*kept, kNothing));
    }
    if (saved.recomputed) {
      step_.tape.drop(incoming_);
      drop_segment_input();
    }
  }

 private:
  /// What the checkpoint kept to run again goes with the last tensor that it packed.
  void drop_segment_input() {
    for (std::size_t segment = 0; segment < step_.segments.size(); ++segment) {
      if (step_.segments[segment].first == layer_) {
        step_.tape.drop(std::exchange(step_.segment_inputs[segment], kNothing));
      }
    }
  }

  StepTape& step_;
  std::size_t layer_;
  TensorId incoming_;
};

struct Backward {
  StepTape& step;
  bool synchronize;

  TensorId gradient_of(std::size_t layer, const graph::Shape& shape) {
    return step.tape.allocate(step.activation_size(shape), Category::activation_gradients, layer_id(layer));
  }

  /// A fresh gradient is added to the one that is there, or has become it (stolen, no copy). Under
  /// gradient_as_bucket_view DDP copies it into its bucket and the gradient becomes a view of that.
  void settle(Parameter& parameter, TensorId fresh) {
    if (fresh != parameter.gradient) {
      step.tape.drop(fresh);
    }
    if (synchronize && step.replicated() && step.job.parallel.bucket_view &&
        std::exchange(parameter.gradient_live, false)) {
      step.tape.release(parameter.gradient);
    }
  }

  TensorId fresh_gradient(Parameter& parameter, std::int64_t element_bytes) {
    const std::int64_t bytes = parameter.elements * element_bytes;
    if (element_bytes == step.parameter_bytes && !parameter.gradient_live) {
      parameter.gradient_live = true;
      step.tape.allocate_as(parameter.gradient, bytes, Category::gradients, parameter.layer);
      return parameter.gradient;
    }
    return step.tape.allocate(bytes, Category::gradients, parameter.layer);
  }

  /// Autocast: weight and bias gradients come out in 16 bit; the cast nodes make fp32 ones.
  void finish_parameters(const std::vector<Parameter*>& parameters, const std::vector<TensorId>& fresh) {
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      if (step.autocast) {
        const TensorId cast = fresh_gradient(*parameters[i], step.parameter_bytes);
        step.tape.drop(fresh[i]);
        settle(*parameters[i], cast);
      } else {
        settle(*parameters[i], fresh[i]);
      }
    }
  }

  TensorId linear(std::size_t layer, TensorId incoming) {
    const TensorId outgoing = gradient_of(layer, step.network.layers[layer].input);
    step.cublas_workspaces(true);
    const auto parameters = step.parameters_of(layer);
    std::vector<TensorId> fresh;
    for (Parameter* parameter : parameters) {
      fresh.push_back(fresh_gradient(*parameter, step.activation_bytes));
    }
    const ReductionBuffers buffers =
        linear_bias_reduction(step.network.layers[layer].output.elements(), step.job.batch, step.device);
    kernel_buffers(step, layer, buffers.partial_sums, buffers.counters);
    Spent(step, layer, incoming).free();
    finish_parameters(parameters, fresh);
    return outgoing;
  }

  TensorId convolution(std::size_t layer, TensorId incoming, bool recompute) {
    const auto parameters = step.parameters_of(layer);
    TensorId outgoing = kNothing;
    if (layer != 0) {
      outgoing = gradient_of(layer, step.network.layers[layer].input);
      step.convolution_scratch(layer, ConvPass::input_gradient, recompute);
    }
    const TensorId contiguous =
        step.contiguous_weight_gradient(layer) ? gradient_of(layer, step.network.layers[layer].output) : kNothing;
    std::vector<TensorId> fresh{fresh_gradient(*parameters[0], step.activation_bytes)};
    step.convolution_scratch(layer, ConvPass::weight_gradient, recompute);
    step.tape.drop(contiguous);
    fresh.push_back(fresh_gradient(*parameters[1], step.activation_bytes));
    bias_buffers(layer);
    Spent(step, layer, incoming).free();
    finish_parameters(parameters, fresh);
    return outgoing;
  }

  void bias_buffers(std::size_t layer) {
    const ReductionBuffers buffers = bias_reduction(step.convolution(layer), step.device);
    const TensorId sums =
        buffers.between > 0 ? step.tape.allocate(buffers.between, Category::other, layer_id(layer)) : kNothing;
    for (std::int64_t piece = 0; piece < buffers.pieces; ++piece) {
      kernel_buffers(step, layer, buffers.partial_sums, buffers.counters);
    }
    step.tape.drop(sums);
  }

  /// One kernel (cuDNN, or PyTorch's for NCHW); else sums first, then the gradient of the input.
  TensorId batch_norm(std::size_t layer, TensorId incoming) {
    const graph::Shape& shape = step.network.layers[layer].input;
    const bool fused =
        !step.native_batch_norm(layer) || (!step.nhwc() && step.job.batch * shape.elements() < kIndexLimit);
    TensorId outgoing = fused ? gradient_of(layer, shape) : kNothing;
    std::vector<TensorId> sums;
    for (int sum = 0; sum < (fused ? 0 : 2); ++sum) {
      sums.push_back(step.tape.allocate(shape.channels * kFp32, Category::other, layer_id(layer)));
    }
    const auto parameters = step.parameters_of(layer);
    std::vector<TensorId> fresh;
    for (Parameter* parameter : parameters) {
      fresh.push_back(fresh_gradient(*parameter, step.parameter_bytes));
    }
    if (!fused) {
      const NormBuffers buffers = batch_norm_staging(shape.channels, step.job.batch * shape.height * shape.width);
      kernel_buffers(step, layer, step.nhwc() ? buffers.backward : 0, buffers.counters);
      outgoing = gradient_of(layer, shape);
    }
    for (const TensorId sum : sums) {
      step.tape.drop(sum);
    }
    Spent(step, layer, incoming).free();
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      settle(*parameters[i], fresh[i]);
    }
    return outgoing;
  }

  /// The gradient of a 1x1 pool comes out contiguous whatever the layout: channels_last copies it.
  [[nodiscard]] bool is_mean(std::size_t layer) const {
    const graph::Layer& here = step.network.layers[layer];
    return std::holds_alternative<graph::AdaptiveAvgPool2d>(here.kind) && here.output.height * here.output.width == 1 &&
           here.input.height * here.input.width > 1;
  }
  void copy_to_layout(std::size_t layer, const graph::Shape& shape) { step.tape.drop(gradient_of(layer, shape)); }

  /// Layers that only pass a gradient of their input's shape on.
  TensorId pass_through(std::size_t layer, TensorId incoming) {
    const graph::Layer& here = step.network.layers[layer];
    if (step.nhwc() && is_mean(layer)) {
      copy_to_layout(layer, here.output);
    }
    const TensorId outgoing = gradient_of(layer, here.input);
    if (step.nhwc() && is_mean(layer + 1)) {
      copy_to_layout(layer, here.output);
    }
    Spent(step, layer, incoming).free();
    return outgoing;
  }

  TensorId layer_backward(std::size_t layer, TensorId incoming, bool recompute) {
    const graph::LayerKind& kind = step.network.layers[layer].kind;
    if (std::holds_alternative<graph::Conv2d>(kind)) {
      return convolution(layer, incoming, recompute);
    }
    if (std::holds_alternative<graph::Linear>(kind)) {
      return linear(layer, incoming);
    }
    if (std::holds_alternative<graph::BatchNorm2d>(kind)) {
      return batch_norm(layer, incoming);
    }
    const auto* dropout = std::get_if<graph::Dropout>(&kind);
    if (std::holds_alternative<graph::Flatten>(kind) || (dropout != nullptr && dropout->passes_through())) {
      return incoming;
    }
    return pass_through(layer, incoming);
  }

  /// From the loss to the gradient of the logits. `scaled`: the gradient of the scaled loss.
  TensorId cross_entropy(TensorId scaled) {
    TapeBuilder& tape = step.tape;
    LossTensors& loss = step.loss;
    const std::int64_t scores = step.job.batch * step.job.classes;
    const auto grad = [&](std::int64_t element_bytes) {
      return tape.allocate(scores * element_bytes, Category::activation_gradients, memory::kNoLayer);
    };
    TensorId incoming = grad(step.autocast ? kFp32 : step.activation_bytes);
    tape.drop(scaled);
    tape.drop(std::exchange(loss.log_softmax_fp32, kNothing));
    tape.drop(std::exchange(loss.total_weight, kNothing));
    if (step.autocast) {
      const TensorId cast = grad(step.activation_bytes);
      tape.drop(incoming);
      incoming = cast;
    }
    const TensorId outgoing = grad(step.activation_bytes);
    tape.drop(incoming);
    tape.drop(std::exchange(loss.log_softmax, kNothing));
    return outgoing;
  }

  TensorId scalar(std::int64_t bytes) { return step.tape.allocate(bytes, Category::other, memory::kNoLayer); }

  /// GradScaler.scale: the loss times a scale that lives on the GPU.
  TensorId scale_loss() {
    if (!step.scales_loss()) {
      return kNothing;
    }
    if (!std::exchange(step.scaler_ready, true)) {
      scalar(kFp32);  // the scale
      scalar(kFp32);  // steps since it grew
    }
    return scalar(kFp32);
  }

  /// The second forward of a checkpointed segment, in its own autocast context.
  void recompute(const std::vector<Visit>& visits, std::size_t first) {
    const std::size_t segment = visits[first].segment;
    TensorId value = step.segment_inputs[segment];
    step.tape.retain(value);
    for (std::size_t at = first; visits[at].pass == Pass::recompute && visits[at].segment == segment; ++at) {
      value = forward_layer(step, visits[at].layer, value, true, true);
    }
    const std::size_t last = step.segments[segment].last - 1;
    if (std::holds_alternative<graph::Conv2d>(step.network.layers[last].kind)) {
      stop_before_convolution(step, last, value);
    }
    step.tape.drop(value);
    end_autocast(step);
  }

  void run() {
    const std::int64_t loss_bytes = step.autocast ? kFp32 : step.activation_bytes;
    const TensorId scaled = scale_loss();
    const TensorId seed = scalar(loss_bytes);
    TensorId incoming = cross_entropy(scaled == kNothing ? kNothing : scalar(loss_bytes));
    const std::vector<Visit> visits = schedule(step.network, step.segments, step.job.mode);
    for (std::size_t at = step.network.layers.size(); at < visits.size(); ++at) {
      const Visit& visit = visits[at];
      if (visit.pass == Pass::recompute) {
        if (visits[at - 1].pass != Pass::recompute || visits[at - 1].segment != visit.segment) {
          recompute(visits, at);
        }
        continue;
      }
      const bool checkpointed = visit.segment != kNoSegment;
      gather_parameters(step, visit.layer);
      incoming = layer_backward(visit.layer, incoming, checkpointed);
      reshard_parameters(step, visit.layer);
      reduce_gradients(step, visit.layer);
    }
    step.tape.drop(seed);
    step.tape.drop(scaled);
  }
};

}  // namespace

void backward(StepTape& step, bool synchronize) { Backward{step, synchronize}.run(); }

}  // namespace vggplan::lowering
