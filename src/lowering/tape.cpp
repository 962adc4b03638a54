// SPDX-License-Identifier: MIT
#include "vggplan/lowering/tape.hpp"

#include <algorithm>
#include <utility>
#include <variant>

#include "lowering/step.hpp"
#include "vggplan/base/checked.hpp"
#include "vggplan/graph/architectures.hpp"

namespace vggplan::lowering {

namespace {

constexpr std::int64_t kCounterBytes = 8;  // num_batches_tracked

}  // namespace

timing::Filter filter_of(const graph::Convolution& convolution, const graph::Shape& output) {
  const graph::Pair one{1, 1};
  if (convolution.kernel == graph::Pair{3, 3} && convolution.stride == one && convolution.padding == one &&
      convolution.dilation == one && convolution.groups == 1 && !convolution.transposed) {
    return {};
  }
  return {convolution.kernel.height,
          convolution.kernel.width,
          std::max(convolution.stride.height, convolution.stride.width),
          std::max(convolution.dilation.height, convolution.dilation.width),
          convolution.groups,
          convolution.transposed,
          output.height,
          output.width};
}

Convolution Step::convolution(NodeId id) const {
  const graph::Node& here = node(id);
  const base::MathMode wanted = job::convolution_math(job.precision);
  const bool falls_back =
      (wanted == base::MathMode::tf32 && !device.tf32) || (wanted == base::MathMode::fp16 && !device.fp16);
  const base::MathMode math = falls_back ? base::MathMode::fp32 : wanted;
  return {batch,
          here.input.channels,
          here.output.channels,
          here.input.height,
          here.input.width,
          activation_bytes,
          math,
          convolution_layout,
          filter_of(std::get<graph::Convolution>(here.kind), here.output)};
}

void Step::convolution_scratch(NodeId id, ConvPass pass, bool recompute) {
  if (variation.workspaces == Workspaces::none) {
    return;
  }
  const bool largest = variation.workspaces == Workspaces::largest;
  Convolution conv = convolution(id);
  if (pass == ConvPass::weight_gradient && contiguous_weight_gradient(id)) {
    conv.layout = base::Layout::nchw;
  }
  // Plans are cached per thread, and recomputation runs in the backward thread.
  const std::int64_t key = (size_drawn << 32) + static_cast<std::int64_t>(id) * 16 +
                           static_cast<std::int64_t>(pass) * 4 + (recompute ? 1 : 0) + (evaluating ? 2 : 0);
  if (job.cudnn_benchmark) {
    const auto trials = [&] {
      std::vector<std::int64_t> plans = benchmark_plans(framework, pass, conv);
      if (largest) {  // some plans keep every spectrum twice, some copy operands that are laid out as they like
        plans.insert(plans.begin(), std::max(2 * fft_workspace(conv), operand_copies(conv)));
      }
      return plans;
    };
    tape.trial(-1 - key, trials, layer_id(id));
  }
  const auto plans = [&] {
    std::vector<std::int64_t> found = workspace_plans(framework, pass, conv, device);
    if (largest && conv.math == base::MathMode::fp32) {
      found.insert(found.begin(), std::max(found.front(), fft_workspace(conv)));
    }
    return found;
  };
  tape.scratch(key, plans, layer_id(id));
}

void Step::cublas_workspaces(bool backward_thread) {
  const bool first = !std::exchange(cublas_ready_[backward_thread ? 1 : 0], true);
  if (first) {
    tape.driver_takes(framework.cublas_handle_driver);
    if (backward_thread) {
      tape.driver_takes(framework.backward_thread_driver);
    }
  }
  library_workspace(device.cublas_workspace.count(), framework.cublas_lifetime, first);
  if (!backward_thread) {
    library_workspace(framework.cublaslt_workspace.count(), framework.cublaslt_lifetime, first);
  }
}

void Step::dot_workspace() {
  const bool first = !std::exchange(cublas_ready_[0], true);
  if (first) {
    tape.driver_takes(framework.cublas_handle_driver);
  }
  library_workspace(device.cublas_workspace.count(), framework.cublas_lifetime, first);
}

void Step::library_workspace(std::int64_t bytes, Lifetime lifetime, bool first) {
  const bool resident = lifetime == Lifetime::process;
  if (bytes == 0 || (resident && !first)) {
    return;
  }
  const TensorId workspace = tape.allocate(bytes, Category::library_workspace, memory::kNoLayer);
  if (!resident) {
    tape.drop(workspace);
  }
}

namespace {

/// model.cuda(): parameters module by module, then each module's buffers; then, for channels_last,
/// a new copy of each convolution weight.
void place_model(Step& step) {
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

/// Forward in eval() and without gradients, over a batch of its own. The outputs, one holder each.
std::vector<TensorId> evaluate(Step& step, std::int64_t images) {
  const std::int64_t batch = std::exchange(step.batch, images);
  const bool live = step.outputs_live;
  step.evaluating = true;
  const std::map<NodeId, TensorId> named = std::exchange(step.outputs, {});
  const std::int64_t bytes = images * step.network.input.elements() * step.parameter_bytes;
  const TensorId image = std::exchange(step.image, step.tape.allocate(bytes, Category::input, memory::kNoLayer));
  forward(step);
  std::vector<TensorId> outputs;
  for (const NodeId output : step.network.nodes.back().inputs) {
    outputs.push_back(step.values[output]);
  }
  step.tape.drop(std::exchange(step.image, image));
  step.outputs = named;
  step.outputs_live = live;
  step.evaluating = false;
  step.batch = batch;
  return outputs;
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
    image.tensor = step.image;
    image.gradient = step.tape.reserve();
  }
  step.target = step.training() && step.node(0).trained
                    ? target_features(step)
                    : step.tape.allocate(target_bytes(step), Category::input, memory::kNoLayer);
}

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
  bool fresh{};    ///< no gradients from an earlier step
  bool skipped{};  ///< GradScaler found infinities
  bool first{};    ///< the first that updates: the optimizer makes its state
  bool rebuild{};  ///< DDP lays its buckets out anew
};

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

/// zero_grad, and every micro-batch forward and back.
void find_gradients(Step& step, const StepKind& kind) {
  for (std::int64_t micro = 0; micro < step.job.accumulation; ++micro) {
    step.tape.begin(base::Phase::forward);
    if (micro == 0 && !kind.fresh) {
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
    find_gradients(step, {.fresh = kind.fresh && i == 0});
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

/// Fused optimizers are told of infinities and leave the parameters as they are, but make their state.
bool may_skip(const job::Job& job) {
  return job.precision == job::Precision::amp_fp16 && job.optimizer_impl != job::OptimizerImpl::fused;
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

/// Of a batch that is normalised gradients overflow behind VGG's three Linear layers: of a pooled head, or of the mean
/// over pixels, they were not seen to.
bool has_deep_classifier(const job::Job& job) {
  const bool deep = job.head == graph::Head::adaptive || job.head == graph::Head::flatten;
  return job.model.architecture == graph::kVgg && deep && job.scope.until.empty();
}

}  // namespace

bool skips_uncertain(const job::Job& job) { return may_skip(job) && (job.model.batch_norm || job.batch == 1); }

std::size_t skipped_steps(const job::Job& job, const Framework& framework) {
  const graph::Objective usual = graph::architecture_of(job.model.architecture).objective;
  if (!may_skip(job) || job.scope.objective.value_or(usual) != graph::Objective::cross_entropy) {
    return 0;
  }
  constexpr std::int64_t kOneSkip = std::int64_t{1} << 22;  // pixels of a batch
  const std::int64_t pixels = job.batch * job.image.height * job.image.width;
  if (!job::normalizes_by_batch(job)) {
    return job.batch == 1 ? 1 : 0;
  }
  if (!has_deep_classifier(job) || pixels >= framework.scaler_pixels_with_batch_norm / job.batch) {
    return 0;
  }
  return pixels < kOneSkip ? kMostSkips : 1;
}

namespace {

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
    steps.push_back(training_step(step, {.fresh = i == 0,
                                         .skipped = never || i < skipped,
                                         .first = i == skipped,
                                         .rebuild = i == 1 && step.replicated()}));
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
