// SPDX-License-Identifier: MIT
#include "vggplan/lowering/tape.hpp"

#include <algorithm>
#include <utility>
#include <variant>

#include "lowering/step_tape.hpp"
#include "vggplan/base/checked.hpp"

namespace vggplan::lowering {

namespace {

constexpr std::int64_t kTargetBytes = 8;   // int64 class index
constexpr std::int64_t kCounterBytes = 8;  // num_batches_tracked

}  // namespace

StepTape::StepTape(const graph::Network& network_, const job::Job& job_, const std::vector<Segment>& segments_,
                   const Framework& framework_, const Device& device_, const Variation& variation_)
    : network(network_), job(job_), segments(segments_), framework(framework_), device(device_), variation(variation_) {
  autocast = job::is_autocast(job.precision);
  activation_bytes = base::size_of(job::activation_type(job.precision));
  parameter_bytes = base::size_of(job::parameter_type(job.precision));
  saved.resize(network.layers.size());
  segment_inputs.assign(segments.size(), kNothing);
  logits = tape.reserve();
  loss_value = tape.reserve();
  collect_parameters();
}

void StepTape::collect_parameters() {
  for (std::size_t layer = 0; layer < network.layers.size(); ++layer) {
    bool weight = true;
    for (const graph::ParameterTensor& tensor : graph::parameter_tensors(network.layers[layer])) {
      const std::int64_t shard_rows = base::ceil_div(tensor.rows, job.parallel.gpus);
      const bool of_convolution = std::holds_alternative<graph::Conv2d>(network.layers[layer].kind);
      parameters.push_back({layer_id(layer), tensor.elements, tensor.elements / tensor.rows * shard_rows,
                            std::exchange(weight, false) && of_convolution});
    }
  }
}

std::vector<Parameter*> StepTape::parameters_of(std::size_t layer) {
  std::vector<Parameter*> found;
  for (Parameter& parameter : parameters) {
    if (parameter.layer == layer_id(layer)) {
      found.push_back(&parameter);
    }
  }
  return found;
}

Convolution StepTape::convolution(std::size_t layer) const {
  const graph::Layer& here = network.layers[layer];
  const base::MathMode wanted = job::convolution_math(job.precision);
  const bool falls_back =
      (wanted == base::MathMode::tf32 && !device.tf32) || (wanted == base::MathMode::fp16 && !device.fp16);
  const base::MathMode math = falls_back ? base::MathMode::fp32 : wanted;
  return {job.batch, here.input.channels, here.output.channels, here.input.height, here.input.width, activation_bytes,
          math,      job.layout};
}

void StepTape::convolution_scratch(std::size_t layer, ConvPass pass, bool recompute) {
  if (variation.workspaces == Workspaces::none) {
    return;
  }
  const bool largest = variation.workspaces == Workspaces::largest;
  Convolution conv = convolution(layer);
  if (pass == ConvPass::weight_gradient && contiguous_weight_gradient(layer)) {
    conv.layout = base::Layout::nchw;
  }
  // Plans are cached per thread, and recomputation runs in the backward thread.
  const std::int64_t key =
      static_cast<std::int64_t>(layer) * 8 + static_cast<std::int64_t>(pass) * 2 + (recompute ? 1 : 0);
  if (job.cudnn_benchmark) {
    const auto trials = [&] {
      std::vector<std::int64_t> plans = benchmark_plans(framework, pass, conv);
      if (largest) {  // some plans keep every spectrum twice, some copy operands that are laid out as they like
        plans.insert(plans.begin(), std::max(2 * fft_workspace(conv), operand_copies(conv)));
      }
      return plans;
    };
    tape.trial(-1 - key, trials, layer_id(layer));
  }
  const auto plans = [&] {
    std::vector<std::int64_t> found = workspace_plans(framework, pass, conv, device);
    if (largest && conv.math == base::MathMode::fp32) {
      found.insert(found.begin(), std::max(found.front(), fft_workspace(conv)));
    }
    return found;
  };
  tape.scratch(key, plans, layer_id(layer));
}

bool StepTape::native_batch_norm(std::size_t layer) const {
  const bool unknown_type = job::activation_type(job.precision) == base::DType::bf16;
  return unknown_type || job.batch * network.layers[layer].input.elements() >= kIndexLimit;
}

void StepTape::cublas_workspaces(bool backward_thread) {
  if (std::exchange(cublas_ready_[backward_thread ? 1 : 0], true)) {
    return;
  }
  tape.driver_takes(framework.cublas_handle_driver);
  if (backward_thread) {
    tape.driver_takes(framework.backward_thread_driver);
  }
  tape.allocate(device.cublas_workspace.count(), Category::library_workspace, memory::kNoLayer);
  if (!backward_thread) {
    tape.allocate(framework.cublaslt_workspace.count(), Category::library_workspace, memory::kNoLayer);
  }
}

namespace {

/// model.cuda(): parameters module by module, then each module's buffers; then, for channels_last,
/// a new copy of each convolution weight.
void place_model(StepTape& step) {
  TapeBuilder& tape = step.tape;
  std::size_t next = 0;
  for (std::size_t layer = 0; layer < step.network.layers.size(); ++layer) {
    for (; next < step.parameters.size() && step.parameters[next].layer == layer_id(layer); ++next) {
      Parameter& parameter = step.parameters[next];
      parameter.tensor =
          tape.allocate(parameter.elements * step.parameter_bytes, Category::parameters, parameter.layer);
      parameter.gradient = tape.reserve();
    }
    if (const auto* norm = std::get_if<graph::BatchNorm2d>(&step.network.layers[layer].kind)) {
      tape.allocate(norm->channels * step.parameter_bytes, Category::parameters, layer_id(layer));
      tape.allocate(norm->channels * step.parameter_bytes, Category::parameters, layer_id(layer));
      tape.allocate(kCounterBytes, Category::parameters, layer_id(layer));
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

/// The image batch (made contiguous, then laid out) and its targets.
void place_input(StepTape& step) {
  const std::int64_t bytes = step.job.batch * step.network.input.elements() * step.parameter_bytes;
  step.image = step.tape.allocate(bytes, Category::input, memory::kNoLayer);
  if (step.nhwc() && step.network.input.channels > 1) {
    const TensorId contiguous = step.image;
    step.image = step.tape.allocate(bytes, Category::input, memory::kNoLayer);
    step.tape.drop(contiguous);
  }
  step.target = step.tape.allocate(step.job.batch * kTargetBytes, Category::input, memory::kNoLayer);
}

void drop_outputs(StepTape& step) {
  if (!std::exchange(step.outputs_live, false)) {
    return;
  }
  step.tape.release(step.logits);
  if (step.training()) {
    step.tape.release(step.loss_value);
  }
}

struct StepKind {
  bool fresh{};    ///< no gradients from an earlier step
  bool skipped{};  ///< GradScaler found infinities
  bool first{};    ///< the first that updates: the optimizer makes its state
  bool rebuild{};  ///< DDP lays its buckets out anew
};

std::vector<memory::Event> training_step(StepTape& step, const StepKind& kind) {
  drop_outputs(step);
  for (std::int64_t micro = 0; micro < step.job.accumulation; ++micro) {
    step.tape.begin(base::Phase::forward);
    if (micro == 0 && !kind.fresh) {  // zero_grad(set_to_none=True)
      for (Parameter& parameter : step.parameters) {
        if (std::exchange(parameter.gradient_live, false)) {
          step.tape.release(parameter.gradient);
        }
      }
    }
    drop_outputs(step);
    if (micro == 0 && kind.rebuild) {
      rebuild_buckets(step);
    }
    forward(step);
    step.tape.begin(base::Phase::backward);
    backward(step, micro + 1 == step.job.accumulation);
  }
  step.tape.begin(base::Phase::optimizer);
  optimizer_step(step, !kind.skipped, kind.first);
  return step.tape.take_events();
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

std::vector<memory::Event> inference_step(StepTape& step) {
  drop_outputs(step);
  step.tape.begin(base::Phase::forward);
  forward(step);
  return step.tape.take_events();
}

}  // namespace

bool skips_uncertain(const job::Job& job) { return may_skip(job) && (job.model.batch_norm || job.batch == 1); }

std::size_t skipped_steps(const job::Job& job, const Framework& framework) {
  if (!may_skip(job)) {
    return 0;
  }
  const std::int64_t enough = framework.scaler_pixels_with_batch_norm;
  const std::int64_t pixels = job.batch * job.image.height * job.image.width;
  if (job.model.batch_norm && pixels < enough) {
    return pixels < enough / 4 ? kMostSkips : 1;
  }
  return job.batch == 1 ? 1 : 0;
}

memory::Tape lower_tape(const graph::Network& network, const job::Job& job, const std::vector<Segment>& segments,
                        const Framework& framework, const Device& device, const Variation& variation) {
  StepTape step(network, job, segments, framework, device, variation);
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
  if (!step.training()) {
    tape.steps = {inference_step(step), inference_step(step)};
  } else {
    const std::size_t skipped = skipped_steps(step.job, step.framework, variation.skips);
    const std::size_t special = std::max(skipped + 1, step.replicated() ? std::size_t{3} : std::size_t{1});
    const bool never = variation.skips == Skips::all;
    for (std::size_t i = 0; i < special; ++i) {
      if (i == 2) {
        release_first_bucket(step);
      }
      tape.steps.push_back(training_step(step, {.fresh = i == 0,
                                                .skipped = never || i < skipped,
                                                .first = i == skipped,
                                                .rebuild = i == 1 && step.replicated()}));
    }
    tape.steps.push_back(training_step(step, {.skipped = never}));  // repeats from here on
  }
  tape.scratch = step.tape.take_scratch();
  tape.tensors = step.tape.ids();
  tape.layers = network.layers.size();
  return tape;
}

}  // namespace vggplan::lowering
