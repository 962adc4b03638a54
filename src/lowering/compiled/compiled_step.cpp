// SPDX-License-Identifier: MIT
#include "lowering/compiled/compiled_step.hpp"

#include <algorithm>
#include <utility>

#include "lowering/compiled/emission.hpp"
#include "lowering/compiled/pad_trials.hpp"

namespace vggplan::lowering {

using compiled::Buffer;
using compiled::BufferId;
using compiled::Captured;
using compiled::Emission;
using compiled::emission_of;
using compiled::kImage;
using compiled::kNoBuffer;

namespace {

CompiledStep& compiled_of(Step& step) {
  std::shared_ptr<CompiledStep>& held = step.evaluating ? step.compiled_evaluation : step.compiled;
  if (!held) {
    held = std::make_shared<CompiledStep>(step);
  }
  return *held;
}

/// The storage that a parameter's gradient lies in, which may be one of forward, becomes the gradient itself: not where
/// it is copied, or added to what is there.
void name_gradients(Step& step, const CompiledStep& compiled, Emission& forward, bool of_backward) {
  const Captured& captured = compiled.captured;
  for (std::size_t p = 0; p < captured.gradients.size(); ++p) {
    const BufferId gradient = captured.gradients[p];
    if (gradient == kNoBuffer || captured.relaid[p] || step.parameters[p].gradient_live) {
      continue;
    }
    const BufferId storage = compiled.backward.storage[gradient];
    if (of_backward) {
      forward.names[storage] = step.parameters[p].gradient;
      continue;
    }
    for (const auto& [ours, theirs] : captured.kept) {
      if (theirs == storage) {
        forward.names[compiled.forward.storage[ours]] = step.parameters[p].gradient;
      }
    }
  }
}

void count_kept(Step& step, const Captured& captured) {
  for (const auto& [ours, theirs] : captured.kept) {
    const Buffer& buffer = captured.forward.buffers[ours];
    if (buffer.category == Category::weight_copies) {
      step.kept.weight_copies += buffer.bytes;
    } else {
      step.kept.nodes[static_cast<std::size_t>(buffer.layer)] += buffer.bytes;
    }
  }
}

/// Autograd takes over the gradients, or copies those whose parameter is laid out otherwise.
/// Those that a replayed graph leaves in its own pool count in nothing that PyTorch tells.
void settle_gradients(Step& step, const Captured& captured, const Emission& emission, bool replays) {
  for (std::size_t p = 0; p < captured.gradients.size(); ++p) {
    const BufferId gradient = captured.gradients[p];
    if (gradient == kNoBuffer) {
      continue;
    }
    Parameter& parameter = step.parameters[p];
    if (replays && !captured.relaid[p]) {
      continue;
    }
    const TensorId made = replays ? kNothing : emission.tensors[emission.placement.storage[gradient]];
    if (captured.relaid[p]) {
      const TensorId copy = fresh_gradient(step, parameter, step.parameter_bytes);
      step.tape.drop(made);
      settle(step, parameter, copy);
    } else {
      parameter.gradient_live = true;
      settle(step, parameter, made);
    }
  }
}

/// A replayed graph: its outputs alone are seen.
void hand_out(Step& step, const Captured& captured, Emission& emission) {
  step.tape.on_stream(memory::kGraphStream);
  for (const BufferId output : captured.outputs) {
    const BufferId storage = emission.placement.storage[output];
    const Buffer& buffer = emission.program.buffers[storage];
    emission.tensors[storage] = emission.names[storage];
    step.tape.allocate_as(emission.names[storage], buffer.bytes, buffer.category, buffer.layer);
  }
  step.tape.on_stream(0);
}

}  // namespace

void compiled_forward(Step& step) {
  CompiledStep& compiled = compiled_of(step);
  const Captured& captured = compiled.captured;
  Emission emission = emission_of(step, compiled, false);
  if (step.training()) {
    name_gradients(step, compiled, emission, false);
  }
  const std::vector<NodeId>& outputs = step.network.nodes.back().inputs;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const auto named = step.outputs.find(outputs[i]);
    if (named != step.outputs.end()) {
      emission.names[compiled.forward.storage[captured.outputs[i]]] = named->second;
    }
  }
  const int earlier = compiled.forwards++;
  if (earlier == 0 && !emission.graph && step.variation.buffers && !step.evaluating) {
    compiled::try_padding(step);
  }
  compiled.replays = emission.graph && earlier > 1;
  if (compiled.replays) {
    hand_out(step, captured, emission);
  } else {
    emission.run(emission.graph && earlier == 1);
    compiled.image = emission.tensors[kImage];
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    step.values[outputs[i]] = emission.tensors[compiled.forward.storage[captured.outputs[i]]];
  }
  compiled.saved.assign(captured.backward.buffers.size(), kNothing);
  for (const auto& [ours, theirs] : captured.kept) {
    compiled.saved[theirs] = emission.tensors[compiled.forward.storage[ours]];
    // Where a network ends with an activation, its caller holds what backward reads.
    if (std::ranges::count(captured.outputs, ours) > 0) {
      step.tape.retain(compiled.saved[theirs]);
    }
  }
  count_kept(step, captured);
}

void compiled_backward(Step& step) {
  CompiledStep& compiled = compiled_of(step);
  const Captured& captured = compiled.captured;
  Emission emission = emission_of(step, compiled, true);
  std::ranges::copy(compiled.saved, emission.tensors.begin());
  name_gradients(step, compiled, emission, true);
  if (!compiled.replays) {
    emission.run(false);
    step.tape.drop(std::exchange(compiled.image, kNothing));
  }
  for (const NodeId output : step.network.nodes.back().inputs) {  // held by whoever calls
    step.tape.drop(std::exchange(step.gradients[output], {}).tensor);
  }
  settle_gradients(step, captured, emission, compiled.replays);
}

}  // namespace vggplan::lowering
