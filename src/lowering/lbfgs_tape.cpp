// SPDX-License-Identifier: MIT
// torch/optim/lbfgs.py, without line search: which vectors over all parameters live when. Numbers that live on the GPU
// (one for each pair, and one for each of the two-loop recursion) are left out: 100 KiB with the default history.
#include <utility>

#include "lowering/step.hpp"

namespace vggplan::lowering {

namespace {

std::int64_t vector_bytes(const Step& step) {
  std::int64_t bytes = 0;
  for (const Parameter& parameter : step.parameters) {
    bytes += parameter.owned ? step.own_bytes(parameter) : 0;
  }
  return bytes;
}

TensorId make(Step& step, Category category) {
  return step.tape.allocate(vector_bytes(step), category, memory::kNoLayer);
}

/// Made anew while the old one is there, whose name it takes. They are of one size: to the allocator it is the same
/// whether the new one or the old one goes, and so the name stays.
void renew(Step& step, TensorId& vector, Category category) {
  const TensorId fresh = make(step, category);
  if (vector == kNothing) {
    vector = fresh;
  } else {
    step.tape.drop(fresh);
  }
}

void temporaries(Step& step, int count) {
  const TensorId first = make(step, Category::optimizer_temporaries);
  if (count > 1) {
    temporaries(step, count - 1);
  }
  step.tape.drop(first);
}

/// y and s. Where the history is full the oldest pair goes once the new one is there.
void remember_pair(Step& step) {
  const std::int64_t pairs = step.lbfgs.iterations - 1;  // the first iteration has nothing to compare with
  const TensorId change = make(step, Category::optimizer_state);
  const TensorId move = make(step, Category::optimizer_state);
  if (pairs >= step.job.lbfgs.history_size) {
    step.tape.drop(change);
    step.tape.drop(move);
  }
}

}  // namespace

void lbfgs_iteration(Step& step) {
  LbfgsVectors& vectors = step.lbfgs;
  const bool moved = vectors.gradient != kNothing;
  renew(step, vectors.gradient, Category::optimizer_temporaries);
  temporaries(step, 1);  // |gradient|, for its maximum
  if (moved) {
    temporaries(step, 2);  // the last move, and the same without signs
  }
  if (vectors.iterations > 0) {
    remember_pair(step);
    step.dot_workspace();
    renew(step, vectors.two_loop, Category::optimizer_temporaries);
  }
  renew(step, vectors.moved, Category::optimizer_state);
  if (vectors.earlier == kNothing) {
    vectors.earlier = make(step, Category::optimizer_state);
    temporaries(step, 1);  // |gradient|, for its sum
    step.dot_workspace();
  }
  ++vectors.iterations;
}

void end_lbfgs(Step& step) {
  LbfgsVectors& vectors = step.lbfgs;
  step.tape.drop(std::exchange(vectors.gradient, kNothing));
  step.tape.drop(std::exchange(vectors.two_loop, kNothing));
  const TensorId moved = std::exchange(vectors.moved, kNothing);
  if (vectors.direction == kNothing) {
    vectors.direction = moved;
  } else {  // which the state held until now
    step.tape.drop(moved);
  }
}

}  // namespace vggplan::lowering
