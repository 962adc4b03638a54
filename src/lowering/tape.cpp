// SPDX-License-Identifier: MIT
#include "vggplan/lowering/tape.hpp"

#include <algorithm>
#include <utility>

#include "lowering/step.hpp"
#include "vggplan/base/checked.hpp"

namespace vggplan::lowering {

namespace {

void drop_outputs(Step& step) {
  if (!std::exchange(step.outputs_live, false)) {
    return;
  }
  for (const View& view : step.views) {
    for (const auto& [node, output] : view.outputs) {
      step.tape.release(output);
    }
    if (step.training()) {
      step.tape.release(view.loss_value);
    }
  }
}

/// What one forward pass leaves for its backward.
struct Left {
  std::vector<Saved> saved{};
  std::vector<TensorId> loss_tensors{};
};

/// A pass is over, and another one comes before its backward.
Left put_aside(Step& step) {
  return {std::exchange(step.saved, std::vector<Saved>(step.saved.size())), std::exchange(step.loss_tensors, {})};
}

void take_up(Step& step, Left left) {
  step.saved = std::move(left.saved);
  step.loss_tensors = std::move(left.loss_tensors);
}

/// Every pass forward, then back from the last to the first. Passes of one graph add up their gradients where they meet
/// (torch/csrc/autograd/input_buffer.cpp), as micro-batches do in the parameters'.
void run_passes(Step& step, bool last_micro_batch) {
  std::vector<Left> earlier;
  for (std::size_t pass = 0; pass < step.views.size(); ++pass) {
    if (pass > 0) {
      earlier.push_back(put_aside(step));
    }
    const View& view = step.views[pass];
    step.image = view.image;
    step.outputs = view.outputs;
    step.loss_value = view.loss_value;
    forward(step);
  }
  step.tape.begin(base::Phase::backward);
  step.passes_to_come = static_cast<std::int64_t>(earlier.size());
  backward(step, last_micro_batch && earlier.empty());
  for (; !earlier.empty(); earlier.pop_back()) {
    take_up(step, std::move(earlier.back()));
    --step.passes_to_come;
    backward(step, last_micro_batch && earlier.size() == 1);
  }
}

struct StepKind {
  bool skipped{};  ///< GradScaler found infinities
  bool first{};    ///< the first that updates: the optimizer makes its state
  bool rebuild{};  ///< DDP lays its buckets out anew
};

/// zero_grad, and every micro-batch forward and back.
void find_gradients(Step& step, const StepKind& kind) {
  for (std::int64_t micro = 0; micro < step.job.accumulation; ++micro) {
    step.tape.begin(base::Phase::forward);
    if (micro == 0) {
      release_gradients(step);
    }
    drop_outputs(step);
    if (micro == 0 && kind.rebuild) {
      rebuild_buckets(step);
    }
    run_passes(step, micro + 1 == step.job.accumulation);
  }
  step.tape.begin(base::Phase::optimizer);
}

/// The outputs are the closure's own, and end with it.
void closure_step(Step& step, const StepKind& kind) {
  for (std::int64_t i = 0; i < step.job.lbfgs.max_iter; ++i) {
    find_gradients(step, {});
    drop_outputs(step);
    optimizer_step(step, true, kind.first);
  }
  end_lbfgs(step);
}

std::vector<memory::Event> training_step(Step& step, const StepKind& kind) {
  drop_outputs(step);
  if (job::uses_lbfgs(step.job)) {
    closure_step(step, kind);
  } else {
    find_gradients(step, kind);
    optimizer_step(step, !kind.skipped, kind.first);
  }
  return step.tape.take_events();
}

/// The first steps of a process that differ from those after them.
std::size_t special_steps(const Step& step, std::size_t skipped) {
  if (job::uses_lbfgs(step.job)) {  // its history fills
    return static_cast<std::size_t>(base::ceil_div(step.job.lbfgs.history_size + 1, step.job.lbfgs.max_iter));
  }
  // DDP and CUDA graphs: the third is the first that repeats.
  const bool three = step.replicated() || step.job.compile == job::Compile::reduce_overhead;
  return std::max(skipped + 1, three ? std::size_t{3} : std::size_t{1});
}

std::size_t skipped_steps(const job::Job& job, const Framework& framework, Skips skips) {
  switch (skips) {
    case Skips::none: return 0;
    case Skips::all: return kMostSkips;
    case Skips::derived: break;
  }
  return lowering::skipped_steps(job, framework);
}

/// Between epochs: what training keeps stays.
std::vector<memory::Event> evaluation_step(Step& step) {
  step.tape.begin(base::Phase::forward);
  for (const TensorId output : evaluate(step, step.job.eval_batch)) {
    step.tape.drop(output);
  }
  return step.tape.take_events();
}

std::vector<memory::Event> inference_step(Step& step) {
  drop_outputs(step);
  step.tape.begin(base::Phase::forward);
  forward(step);
  return step.tape.take_events();
}

std::vector<std::vector<memory::Event>> inference_steps(Step& step, std::span<const graph::Network> sizes,
                                                        std::span<const std::size_t> draws) {
  const bool graphs = step.job.compile == job::Compile::reduce_overhead;
  std::vector<std::vector<memory::Event>> steps;
  for (const std::size_t size : draws) {
    draw(step, sizes, size);
    steps.push_back(inference_step(step));
  }
  for (int repeats = graphs ? 3 : 2; repeats > 0; --repeats) {
    steps.push_back(inference_step(step));
  }
  return steps;
}

std::vector<std::vector<memory::Event>> training_steps(Step& step, std::span<const graph::Network> sizes,
                                                       std::span<const std::size_t> draws) {
  const std::size_t skipped = skipped_steps(step.job, step.framework, step.variation.skips);
  const std::size_t special = std::max(special_steps(step, skipped), draws.size());
  const bool never = step.variation.skips == Skips::all;
  std::vector<std::vector<memory::Event>> steps;
  for (std::size_t i = 0; i < special; ++i) {
    if (i == 2) {
      release_first_bucket(step);
    }
    if (i < draws.size()) {
      draw(step, sizes, draws[i]);
    }
    steps.push_back(training_step(
        step, {.skipped = never || i < skipped, .first = i == skipped, .rebuild = i == 1 && step.replicated()}));
  }
  if (step.job.eval_batch > 0) {
    steps.push_back(training_step(step, {.skipped = never}));
    steps.push_back(evaluation_step(step));
  }
  steps.push_back(training_step(step, {.skipped = never}));  // repeats from here on
  return steps;
}

}  // namespace

memory::Tape lower_tape(std::span<const graph::Network> sizes, std::span<const std::size_t> draws, const job::Job& job,
                        const std::vector<Segment>& segments, const Framework& framework, const Device& device,
                        const Variation& variation) {
  const graph::Network& network = draws.empty() ? sizes.front() : sizes[draws.front()];
  Step step(network, job, segments, framework, device, variation);
  memory::Tape tape;
  step.tape.begin(base::Phase::setup);
  place_model(step);
  place_input(step);
  if (step.replicated()) {
    replicate(step);
  } else if (step.fully_sharded()) {
    shard(step);
  }
  tape.setup = step.tape.take_events();
  tape.steps = step.training() ? training_steps(step, sizes, draws) : inference_steps(step, sizes, draws);
  tape.scratch = step.tape.take_scratch();
  tape.tensors = step.tape.ids();
  tape.layers = network.nodes.size();
  return tape;
}

memory::Tape lower_tape(const graph::Network& network, const job::Job& job, const std::vector<Segment>& segments,
                        const Framework& framework, const Device& device, const Variation& variation) {
  return lower_tape({&network, 1}, {}, job, segments, framework, device, variation);
}

}  // namespace vggplan::lowering
