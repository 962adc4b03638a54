// SPDX-License-Identifier: MIT
// torch/optim: what each optimizer keeps, and the temporaries of one step.
#include <utility>

#include "lowering/step.hpp"

namespace vggplan::lowering {

namespace {

using job::Optimizer;
using job::OptimizerImpl;

void make_state(Step& step, Parameter& parameter, TensorId Parameter::*which) {
  if (!parameter.owned) {
    return;
  }
  parameter.*which = step.tape.reserve();
  step.tape.allocate_as(parameter.*which, step.own_bytes(parameter), Category::optimizer_state, parameter.layer);
}

TensorId temporary(Step& step, const Parameter& parameter) {
  return step.tape.allocate(step.own_bytes(parameter), Category::optimizer_temporaries, parameter.layer);
}

void drop_backwards(Step& step, const std::vector<TensorId>& list) {
  for (auto tensor = list.rbegin(); tensor != list.rend(); ++tensor) {
    step.tape.drop(*tensor);
  }
}

/// foreach: one new tensor per parameter, all alive together.
std::vector<TensorId> list_copy(Step& step) {
  std::vector<TensorId> list;
  for (const Parameter& parameter : step.parameters) {
    if (parameter.owned) {
      list.push_back(temporary(step, parameter));
    }
  }
  return list;
}

void momentum_foreach(Step& step, bool first) {
  const std::vector<TensorId> decayed = list_copy(step);  // gradient + weight decay
  if (first) {
    for (Parameter& parameter : step.parameters) {
      make_state(step, parameter, &Parameter::state1);
    }
  }
  drop_backwards(step, decayed);
}

void momentum_loop(Step& step, bool first) {
  for (Parameter& parameter : step.parameters) {
    if (!parameter.owned) {
      continue;
    }
    const TensorId decayed = temporary(step, parameter);
    if (first) {
      make_state(step, parameter, &Parameter::state1);
    }
    step.tape.drop(decayed);
  }
}

void adam_state(Step& step, bool fused) {
  for (Parameter& parameter : step.parameters) {
    if (fused && parameter.owned) {  // its step counter lives on the GPU
      step.tape.allocate(kFp32, Category::optimizer_state, parameter.layer);
    }
    make_state(step, parameter, &Parameter::state1);
    make_state(step, parameter, &Parameter::state2);
  }
}

void adam_step(Step& step) {
  switch (step.job.optimizer_impl) {
    case OptimizerImpl::foreach: drop_backwards(step, list_copy(step)); return;  // sqrt of the second moment
    case OptimizerImpl::fused: return;
    case OptimizerImpl::loop:
      for (const Parameter& parameter : step.parameters) {
        if (!parameter.owned) {
          continue;
        }
        const TensorId root = temporary(step, parameter);
        const TensorId corrected = temporary(step, parameter);
        step.tape.drop(root);
        step.tape.drop(corrected);
      }
      return;
  }
}

/// torch/optim/rmsprop.py: the square root of the mean of squares, of all parameters (foreach) or of one at a time. The
/// name that held the last one lets go of it when the next is there.
void rmsprop_step(Step& step, bool first) {
  if (first) {
    for (Parameter& parameter : step.parameters) {
      make_state(step, parameter, &Parameter::state1);
    }
  }
  if (step.job.optimizer_impl != OptimizerImpl::loop) {
    drop_backwards(step, list_copy(step));
    return;
  }
  TensorId last = kNothing;
  for (const Parameter& parameter : step.parameters) {
    if (parameter.owned) {
      step.tape.drop(std::exchange(last, temporary(step, parameter)));
    }
  }
  step.tape.drop(last);
}

void momentum_step(Step& step, bool first) {
  switch (step.job.optimizer_impl) {
    case OptimizerImpl::foreach: momentum_foreach(step, first); return;
    case OptimizerImpl::loop: momentum_loop(step, first); return;
    case OptimizerImpl::fused:
      if (first) {
        for (Parameter& parameter : step.parameters) {
          make_state(step, parameter, &Parameter::state1);
        }
      }
      return;
  }
}

void update(Step& step, bool first) {
  switch (step.job.optimizer) {
    case Optimizer::sgd: return;
    case Optimizer::momentum: momentum_step(step, first); return;
    case Optimizer::adam:
    case Optimizer::adamw:
      if (first) {
        adam_state(step, step.job.optimizer_impl == OptimizerImpl::fused);
      }
      adam_step(step);
      return;
    case Optimizer::rmsprop: rmsprop_step(step, first); return;
    case Optimizer::lbfgs: lbfgs_iteration(step); return;
  }
}

/// GradScaler.unscale_: the scale's reciprocal, in double; and flags of infinities. The last one lives
/// until GradScaler.update.
TensorId unscale(Step& step) {
  constexpr std::int64_t kFp64 = 8;
  const auto scalar = [&](std::int64_t bytes) {
    return step.tape.allocate(bytes, Category::optimizer_temporaries, memory::kNoLayer);
  };
  const TensorId scale = scalar(kFp64);
  const TensorId reciprocal = scalar(kFp64);
  step.tape.drop(scale);
  const TensorId inverse = scalar(kFp32);
  step.tape.drop(reciprocal);
  const TensorId found = scalar(kFp32);
  const TensorId copies[2] = {scalar(kFp32), scalar(kFp32)};
  for (const TensorId gone : {copies[1], copies[0], inverse}) {
    step.tape.drop(gone);
  }
  return found;
}

}  // namespace

void optimizer_step(Step& step, bool updates, bool first) {
  const TensorId found = step.scales_loss() ? unscale(step) : kNothing;
  if (updates) {
    update(step, first);
  }
  step.tape.drop(found);
}

}  // namespace vggplan::lowering
