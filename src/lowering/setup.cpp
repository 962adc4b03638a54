// SPDX-License-Identifier: MIT
// What is there before the first step: the model, images and targets.
#include <utility>
#include <variant>

#include "lowering/step.hpp"

namespace vggplan::lowering {

/// Forward in eval() and without gradients, over a batch of its own. The outputs, one holder each.
std::vector<TensorId> evaluate(Step& step, std::int64_t images) {
  const std::int64_t batch = std::exchange(step.batch, images);
  const bool live = step.outputs_live;
  step.evaluating = true;
  step.outputs.clear();  // which the next pass names
  const std::int64_t bytes = images * step.network.input.elements() * step.parameter_bytes;
  const TensorId image = std::exchange(step.image, step.tape.allocate(bytes, Category::input, memory::kNoLayer));
  forward(step);
  std::vector<TensorId> outputs;
  for (const NodeId output : step.network.nodes.back().inputs) {
    outputs.push_back(step.values[output]);
  }
  step.tape.drop(std::exchange(step.image, image));
  step.outputs_live = live;
  step.evaluating = false;
  step.batch = batch;
  return outputs;
}

/// model.cuda(): parameters module by module, then each module's buffers; then, for channels_last,
/// a new copy of each convolution weight.
void place_model(Step& step) {
  constexpr std::int64_t kCounterBytes = 8;  // num_batches_tracked
  TapeBuilder& tape = step.tape;
  for (NodeId id = kFirstNode; id < step.network.nodes.size(); ++id) {
    for (Parameter& parameter : step.parameters_of(id)) {
      parameter.tensor =
          tape.allocate(parameter.elements * step.parameter_bytes, Category::parameters, parameter.layer);
      parameter.gradient = tape.reserve();
    }
    if (const auto* norm = std::get_if<graph::BatchNorm>(&step.node(id).kind)) {
      tape.allocate(norm->channels * step.parameter_bytes, Category::parameters, layer_id(id));
      tape.allocate(norm->channels * step.parameter_bytes, Category::parameters, layer_id(id));
      tape.allocate(kCounterBytes, Category::parameters, layer_id(id));
    }
  }
  if (step.nhwc()) {
    tape.heavy_kernel();  // copies between layouts
    for (Parameter& parameter : step.parameters) {
      if (parameter.convolution_weight) {
        const TensorId old = parameter.tensor;
        parameter.tensor =
            tape.allocate(parameter.elements * step.parameter_bytes, Category::parameters, parameter.layer);
        tape.drop(old);
      }
    }
  }
}

namespace {

/// Class indices in 64 bits, or values in the type of the parameters.
std::int64_t target_bytes(const Step& step) {
  constexpr std::int64_t kIndexBytes = 8;
  if (!step.training()) {
    return step.batch * kIndexBytes;
  }
  const graph::Node& loss = step.network.nodes.back();
  const graph::Shape& first = step.node(loss.inputs.front()).output;
  const graph::Shape& last = step.node(loss.inputs.back()).output;
  const std::int64_t positions = last.height * last.width;
  switch (std::get<graph::Loss>(loss.kind).objective) {
    case graph::Objective::cross_entropy:
    case graph::Objective::pixel_cross_entropy: return step.batch * positions * kIndexBytes;
    case graph::Objective::mse: return step.batch * first.elements() * step.parameter_bytes;
    case graph::Objective::ssd:
      return step.batch * (first.elements() * step.parameter_bytes + last.channels * kIndexBytes);
  }
  return 0;
}

/// Perceptual losses: the features of another image, which the network finds outside of autocast.
TensorId target_features(Step& step) {
  const bool autocast = std::exchange(step.autocast, false);
  const std::vector<bool> wide = std::exchange(step.wide, std::vector<bool>(step.wide.size()));
  const std::int64_t activation_bytes = std::exchange(step.activation_bytes, step.parameter_bytes);
  const std::vector<TensorId> outputs = evaluate(step, step.batch);
  step.autocast = autocast;
  step.wide = wide;
  step.activation_bytes = activation_bytes;
  return outputs.front();
}

/// The image batch, made contiguous, then laid out.
TensorId place_image(Step& step) {
  const std::int64_t bytes = step.batch * step.network.input.elements() * step.parameter_bytes;
  const TensorId contiguous = step.tape.allocate(bytes, Category::input, memory::kNoLayer);
  if (!step.nhwc() || step.network.input.channels == 1) {
    return contiguous;
  }
  const TensorId image = step.tape.allocate(bytes, Category::input, memory::kNoLayer);
  step.tape.drop(contiguous);
  return image;
}

}  // namespace

/// The image batch, for each forward pass one, and its targets.
void place_input(Step& step) {
  for (std::int64_t pass = 0; pass < step.job.forward_passes; ++pass) {
    View view{place_image(step), step.outputs, step.loss_value};
    if (pass > 0) {  // names of its own
      for (auto& [node, output] : view.outputs) {
        output = step.tape.reserve();
      }
      view.loss_value = step.tape.reserve();
    }
    step.views.push_back(std::move(view));
  }
  step.image = step.views.front().image;
  for (Parameter& image : step.parameters_of(0)) {
    image.gradient = step.tape.reserve();
  }
  step.target = step.training() && step.node(0).trained
                    ? target_features(step)
                    : step.tape.allocate(target_bytes(step), Category::input, memory::kNoLayer);
}

/// Images of another size take the place of those of the step before, as in a loop over a DataLoader.
void draw(Step& step, std::span<const graph::Network> sizes, std::size_t size) {
  step.network = sizes[size];
  step.size_drawn = static_cast<std::int64_t>(size);
  for (View& view : step.views) {
    const TensorId image = place_image(step);
    step.tape.drop(std::exchange(view.image, image));
  }
  step.image = step.views.front().image;
  const TensorId target = step.tape.allocate(target_bytes(step), Category::input, memory::kNoLayer);
  step.tape.drop(std::exchange(step.target, target));
}

}  // namespace vggplan::lowering
