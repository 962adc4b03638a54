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

/// Has become the gradient (stolen, no copy) where there is none. Under gradient_as_bucket_view DDP copies it into its
/// bucket and the gradient becomes a view of that.
void settle(Step& step, Parameter& parameter, TensorId fresh) {
  if (fresh != parameter.gradient) {
    step.tape.drop(fresh);
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

void finish_parameters(Step& step, NodeId id, const std::vector<TensorId>& fresh) {
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
