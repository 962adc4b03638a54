// SPDX-License-Identifier: MIT
// What becomes of gradients: docs/how-memory-is-counted.md.
//
// A node allocates its gradients, then the incoming gradient dies, then what the node had saved.
// Under a checkpoint the saved tensors were unpacked into locals, so they die first.
#include <utility>

#include "lowering/step.hpp"

namespace vggplan::lowering {

void spend(Step& step, NodeId id, TensorId incoming) {
  Saved& saved = step.saved[id];
  if (!saved.recomputed) {
    step.tape.drop(incoming);
  } else {
    step.tape.drop(std::exchange(saved.weight_copy, kNothing));
  }
  for (TensorId* kept :
       {&saved.input, &saved.result, &saved.mask, &saved.statistics[0], &saved.statistics[1], &saved.weight_copy}) {
    step.tape.drop(std::exchange(*kept, kNothing));
  }
  if (saved.recomputed) {
    step.tape.drop(incoming);
    step.tape.drop(std::exchange(saved.segment_input, kNothing));
  }
}

/// Has become the gradient (stolen, no copy) where there is none. Passes of one graph add up what they find before it
/// is (torch/csrc/autograd/input_buffer.cpp). Under gradient_as_bucket_view DDP copies it into its bucket and the
/// gradient becomes a view of that.
void settle(Step& step, Parameter& parameter, TensorId fresh) {
  const bool first = step.passes_to_come + 1 == step.passes();
  if (fresh != parameter.gradient && first) {
    parameter.buffered = fresh;
  } else if (fresh != parameter.gradient) {
    step.tape.drop(fresh);
  }
  if (step.passes_to_come == 0) {
    step.tape.drop(std::exchange(parameter.buffered, kNothing));
  }
  if (step.synchronizes && step.replicated() && step.job.parallel.bucket_view &&
      std::exchange(parameter.gradient_live, false)) {
    step.tape.release(parameter.gradient);
  }
}

TensorId fresh_gradient(Step& step, Parameter& parameter, std::int64_t element_bytes) {
  const std::int64_t bytes = parameter.elements * element_bytes;
  if (element_bytes == step.parameter_bytes && !parameter.gradient_live) {
    parameter.gradient_live = true;
    step.tape.allocate_as(parameter.gradient, bytes, Category::gradients, parameter.layer);
    return parameter.gradient;
  }
  return step.tape.allocate(bytes, Category::gradients, parameter.layer);
}

void release_gradients(Step& step) {
  for (Parameter& parameter : step.parameters) {
    if (std::exchange(parameter.gradient_live, false)) {
      step.tape.release(parameter.gradient);
    }
    if (std::exchange(parameter.group_gradients_live, false)) {
      step.tape.release(parameter.group_gradients);
    }
  }
}

namespace {

/// Sums of passes are made in place but where the gradient that came first is a view, whose storage its base holds,
/// too: that of a product's weight is, unless it was cast. Of three tensors of one size it is the same which stays.
void add_views(Step& step, NodeId id) {
  const bool second = step.passes_to_come + 2 == step.passes();
  if (second && std::holds_alternative<graph::Linear>(step.node(id).kind)) {
    const Parameter& weight = step.parameters_of(id).front();
    step.tape.drop(step.tape.allocate(step.whole_bytes(weight), Category::gradients, weight.layer));
  }
}

}  // namespace

void finish_parameters(Step& step, NodeId id, const std::vector<TensorId>& fresh) {
  if (!step.autocast && !fresh.empty()) {
    add_views(step, id);
  }
  const std::span<Parameter> parameters = step.parameters_of(id);
  for (std::size_t i = 0; i < fresh.size(); ++i) {
    if (step.autocast) {
      const TensorId cast = fresh_gradient(step, parameters[i], step.parameter_bytes);
      step.tape.drop(fresh[i]);
      settle(step, parameters[i], cast);
    } else {
      settle(step, parameters[i], fresh[i]);
    }
  }
}

}  // namespace vggplan::lowering
