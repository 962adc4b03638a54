// SPDX-License-Identifier: MIT
// Forward allocations, in PyTorch's order: docs/how-memory-is-counted.md.
#include <utility>
#include <variant>

#include "lowering/layout.hpp"
#include "lowering/step_tape.hpp"

namespace vggplan::lowering {

namespace {

/// Autocast casts arguments from right to left: bias, weight, input. Weights and biases are cast once
/// a context (their copies are cached); the image, which is no parameter, in every call.
void cast_parameters(StepTape& step, std::size_t layer, bool keep) {
  if (!step.autocast) {
    return;
  }
  const auto parameters = step.parameters_of(layer);
  for (auto parameter = parameters.rbegin(); parameter != parameters.rend(); ++parameter) {
    const bool weight = *parameter == parameters.front();
    const TensorId copy =
        step.tape.allocate((*parameter)->elements * step.activation_bytes, Category::weight_copies, layer_id(layer));
    if (weight && keep) {
      step.saved[layer].weight_copy = copy;
    } else {
      (weight ? step.weight_copies : step.bias_copies).push_back(copy);
    }
  }
  step.tape.heavy_kernel();  // casts
}

/// The 16-bit image, where the input is the fp32 image; otherwise the input itself.
TensorId cast_input(StepTape& step, std::size_t layer, TensorId input) {
  if (!step.autocast || input != step.image) {
    step.tape.retain(input);
    return input;
  }
  return step.tape.allocate(step.activation_size(step.network.input), Category::input, layer_id(layer));
}

TensorId convolve(StepTape& step, std::size_t layer, TensorId input, bool keep, bool recompute) {
  cast_parameters(step, layer, keep);
  const TensorId operand = cast_input(step, layer, input);
  const TensorId output = step.tape.allocate(step.activation_size(step.network.layers[layer].output),
                                             Category::activations, layer_id(layer));
  step.convolution_scratch(layer, ConvPass::forward, recompute);
  step.tape.heavy_kernel();
  if (keep) {
    step.saved[layer].input = operand;
  } else {
    step.tape.drop(operand);
  }
  step.tape.drop(input);
  return output;
}

/// PyTorch's own kernels for channels_last tensors sum up in parts.
void normalize_staging(StepTape& step, std::size_t layer) {
  const graph::Shape& shape = step.network.layers[layer].output;
  if (step.training() && step.native_batch_norm(layer) && step.nhwc()) {
    const NormBuffers buffers = batch_norm_staging(shape.channels, step.job.batch * shape.height * shape.width);
    kernel_buffers(step, layer, buffers.forward, buffers.counters);
  }
}

TensorId normalize(StepTape& step, std::size_t layer, TensorId input, bool keep) {
  const graph::Shape& shape = step.network.layers[layer].output;
  const TensorId output = step.tape.allocate(step.activation_size(shape), Category::activations, layer_id(layer));
  if (step.training()) {
    for (TensorId& statistic : step.saved[layer].statistics) {
      // fp32, whatever the input.
      statistic = step.tape.allocate(shape.channels * kFp32, Category::activations, layer_id(layer));
    }
    normalize_staging(step, layer);
  }
  if (keep) {
    step.saved[layer].input = input;  // the holder passes from the caller's frame to autograd
  } else {
    for (TensorId& statistic : step.saved[layer].statistics) {
      step.tape.drop(std::exchange(statistic, kNothing));
    }
    step.tape.drop(input);
  }
  return output;
}

TensorId max_pool(StepTape& step, std::size_t layer, TensorId input, bool keep) {
  constexpr std::int64_t kIndexBytes = 8;
  const graph::Shape& shape = step.network.layers[layer].output;
  const TensorId output = step.tape.allocate(step.activation_size(shape), Category::activations, layer_id(layer));
  const TensorId indices =
      step.tape.allocate(step.job.batch * shape.elements() * kIndexBytes, Category::pooling_indices, layer_id(layer));
  if (keep) {
    step.saved[layer].input = input;
    step.saved[layer].mask = indices;
  } else {
    step.tape.drop(indices);
    step.tape.drop(input);
  }
  return output;
}

TensorId average_pool(StepTape& step, std::size_t layer, TensorId input, bool keep) {
  const graph::Layer& here = step.network.layers[layer];
  const TensorId output = step.tape.allocate(step.activation_size(here.output), Category::activations, layer_id(layer));
  // A 1x1 pool is a mean, which keeps only sizes.
  const bool keeps_input = here.output.height * here.output.width > 1;
  if (!keeps_input && here.input.height * here.input.width > 1) {
    const ReductionBuffers buffers = mean_reduction(step.job.batch * here.input.channels,
                                                    here.input.height * here.input.width, step.job.layout, step.device);
    kernel_buffers(step, layer, buffers.partial_sums, buffers.counters);
  }
  if (keep && keeps_input) {
    step.saved[layer].input = input;
  } else {
    step.tape.drop(input);
  }
  return output;
}

TensorId flatten(StepTape& step, std::size_t layer, TensorId input) {
  const graph::Layer& here = step.network.layers[layer];
  if (!flatten_copies(here, step.job.layout)) {
    return input;
  }
  const TensorId output = step.tape.allocate(step.activation_size(here.output), Category::activations, layer_id(layer));
  step.tape.drop(input);
  return output;
}

TensorId linear(StepTape& step, std::size_t layer, TensorId input, bool keep) {
  cast_parameters(step, layer, keep);
  const std::int64_t bytes = step.activation_size(step.network.layers[layer].output);
  TensorId output = step.logits;
  if (layer + 1 == step.network.layers.size()) {
    step.tape.allocate_as(output, bytes, Category::activations, layer_id(layer));
  } else {
    output = step.tape.allocate(bytes, Category::activations, layer_id(layer));
  }
  step.cublas_workspaces(false);
  if (keep) {
    step.saved[layer].input = input;
  } else {
    step.tape.drop(input);
  }
  return output;
}

TensorId drop_out(StepTape& step, std::size_t layer, TensorId input, bool keep) {
  if (!step.training() || std::get<graph::Dropout>(step.network.layers[layer].kind).passes_through()) {
    return input;
  }
  const graph::Shape& shape = step.network.layers[layer].output;
  const TensorId mask = step.tape.allocate(step.job.batch * shape.elements(), Category::other, layer_id(layer));
  const TensorId output = step.tape.allocate(step.activation_size(shape), Category::activations, layer_id(layer));
  if (keep) {
    step.saved[layer].mask = mask;
  } else {
    step.tape.drop(mask);
  }
  step.tape.drop(input);
  return output;
}

/// In place: autograd saves the result, which is the input's storage.
TensorId relu(StepTape& step, std::size_t layer, TensorId input, bool keep) {
  if (keep) {
    step.tape.retain(input);
    step.saved[layer].result = input;
  }
  return input;
}

void cross_entropy(StepTape& step) {
  const std::int64_t scores = step.job.batch * step.job.classes;
  const std::int64_t loss_bytes = step.autocast ? kFp32 : step.activation_bytes;
  LossTensors& loss = step.loss;
  TapeBuilder& tape = step.tape;
  loss.log_softmax = tape.allocate(scores * step.activation_bytes, Category::other, memory::kNoLayer);
  if (step.autocast) {
    loss.log_softmax_fp32 = tape.allocate(scores * kFp32, Category::other, memory::kNoLayer);
  }
  tape.allocate_as(step.loss_value, loss_bytes, Category::other, memory::kNoLayer);
  loss.total_weight = tape.allocate(loss_bytes, Category::other, memory::kNoLayer);
}

}  // namespace

void kernel_buffers(StepTape& step, std::size_t layer, std::int64_t sums, std::int64_t counters) {
  if (sums > 0) {
    const TensorId parts = step.tape.allocate(sums, Category::other, layer_id(layer));
    step.tape.drop(step.tape.allocate(counters, Category::other, layer_id(layer)));
    step.tape.drop(parts);
  }
}

void stop_before_convolution(StepTape& step, std::size_t layer, TensorId input) {
  cast_parameters(step, layer, true);
  step.saved[layer].input = cast_input(step, layer, input);
  step.saved[layer].recomputed = true;
}

TensorId forward_layer(StepTape& step, std::size_t layer, TensorId input, bool keep, bool recompute) {
  step.saved[layer].recomputed = recompute;
  const graph::LayerKind& kind = step.network.layers[layer].kind;
  if (std::holds_alternative<graph::Conv2d>(kind)) {
    return convolve(step, layer, input, keep, recompute);
  }
  if (std::holds_alternative<graph::BatchNorm2d>(kind)) {
    return normalize(step, layer, input, keep);
  }
  if (std::holds_alternative<graph::Relu>(kind)) {
    return relu(step, layer, input, keep);
  }
  if (std::holds_alternative<graph::MaxPool2d>(kind)) {
    return max_pool(step, layer, input, keep);
  }
  if (std::holds_alternative<graph::AdaptiveAvgPool2d>(kind)) {
    return average_pool(step, layer, input, keep);
  }
  if (std::holds_alternative<graph::Flatten>(kind)) {
    return flatten(step, layer, input);
  }
  if (std::holds_alternative<graph::Linear>(kind)) {
    return linear(step, layer, input, keep);
  }
  return drop_out(step, layer, input, keep);
}

void end_autocast(StepTape& step) {
  for (auto* copies : {&step.bias_copies, &step.weight_copies}) {
    for (const TensorId copy : *copies) {
      step.tape.drop(copy);
    }
    copies->clear();
  }
}

void forward(StepTape& step) {
  TensorId value = step.image;
  TensorId classifier_input = kNothing;
  step.tape.retain(value);
  for (std::size_t layer = 0; layer < step.network.layers.size(); ++layer) {
    const std::size_t segment = segment_of(step.segments, layer);
    const bool inside = segment != kNoSegment && step.training();
    if (inside && layer == step.segments[segment].first) {
      step.tape.retain(value);
      step.segment_inputs[segment] = value;
    }
    gather_parameters(step, layer);
    value = forward_layer(step, layer, value, step.training() && !inside, false);
    reshard_parameters(step, layer);
    if (std::holds_alternative<graph::Flatten>(step.network.layers[layer].kind)) {
      classifier_input = value;  // VGG.forward's own variable holds it until the classifier returns
      step.tape.retain(value);
    }
  }
  step.tape.drop(classifier_input);
  if (step.training()) {
    cross_entropy(step);
  }
  end_autocast(step);
  step.outputs_live = true;
}

}  // namespace vggplan::lowering
