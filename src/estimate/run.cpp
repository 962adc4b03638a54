// SPDX-License-Identifier: MIT
#include "vggplan/estimate/run.hpp"

#include <memory>
#include <utility>

#include "estimate/memory_part.hpp"
#include "estimate/notes.hpp"
#include "estimate/storage_part.hpp"
#include "estimate/time_part.hpp"
#include "vggplan/lowering/saved.hpp"

namespace vggplan::estimate {

namespace {

base::Result<Lowered> checked(const job::Job& job, const Target& target) {
  if (auto wrong = job::validate(job)) {
    return *wrong;
  }
  if (auto wrong = check_precision(job, target.gpu)) {
    return *wrong;
  }
  return lower(job);
}

/// Work of one GPU: forward of a micro-batch, and the whole step.
ModelSummary summary_of(const Lowered& lowered, const job::Job& job) {
  const graph::LayerCounts counts = graph::count(lowered.network);
  ModelSummary model;
  model.name = job.model.name;
  model.parameters = counts.parameters;
  model.macs_forward = counts.macs * job.batch;
  model.flops_forward = counts.flops_forward * job.batch;
  const base::Flops once = job.mode == job::Mode::train ? counts.flops_forward + counts.flops_backward : counts.flops_forward;
  model.flops_step = once * (job.batch * job.accumulation);
  if (job.mode == job::Mode::train) {
    model.saved_activations = lowering::saved_bytes(lowered.network, lowered.segments, job).activations();
  }
  return model;
}

base::Result<TimeAnswer> time_answer(const job::Job& job, const Target& target, const Knowledge& knowledge) {
  const auto lowered = checked(job, target);
  if (!lowered) {
    return lowered.error();
  }
  const auto calibration = calibration_for(target.gpu, knowledge);
  if (!calibration) {
    return calibration.error();
  }
  const timing::ParallelTime parallel = step_of(*lowered, job, target, knowledge, *calibration);
  const timing::InputThroughput throughput = feed(job, target, knowledge, *calibration, parallel.step.step.value);
  return TimeAnswer{parallel.step.step.value, parallel.exposed.value, images_per_second(job, throughput),
                    std::string(name_of(throughput.bound)), usd_per_hour(job, target, knowledge)};
}

/// The units of the GPU at full rate cannot be beaten by more than Winograd's saving of multiplications.
base::Result<Seconds> time_floor(const job::Job& job, const Target& target) {
  constexpr double kWinograd = 4;  // F(4x4, 3x3): 36 multiplications for 144
  const auto network = graph::build_network(job.model, job.image, job.classes, job.head);
  if (!network) {
    return network.error();
  }
  const graph::LayerCounts counts = graph::count(*network);
  const base::Flops work = job.mode == job::Mode::train ? counts.flops_forward + counts.flops_backward : counts.flops_forward;
  const auto rate = hardware::peak_rate(target.gpu, job::convolution_math(job.precision));
  if (!rate) {
    return Seconds(0);
  }
  return work / *rate * (static_cast<double>(job.batch * job.accumulation) / kWinograd);
}

}  // namespace

base::Result<MemoryAnswer> simulate_memory(const job::Job& job, const Target& target, const Knowledge& knowledge) {
  const auto lowered = checked(job, target);
  if (!lowered) {
    return lowered.error();
  }
  return memory_answer(*lowered, job, target, knowledge.framework);
}

base::Result<Estimate> estimate(const job::Job& job, const Target& target, const Knowledge& knowledge, const Options& options) {
  const auto lowered = checked(job, target);
  if (!lowered) {
    return lowered.error();
  }
  const auto calibration = calibration_for(target.gpu, knowledge);
  if (!calibration) {
    return calibration.error();
  }
  Estimate answer;
  answer.job = job;
  answer.target = target;
  answer.model = summary_of(*lowered, job);
  answer.memory = memory_part(*lowered, job, target, knowledge.framework, options.timeline);
  const timing::ParallelTime parallel = step_of(*lowered, job, target, knowledge, *calibration);
  const Seconds step = parallel.step.step.value;
  const timing::InputThroughput throughput = feed(job, target, knowledge, *calibration, step);
  answer.time = time_part(*lowered, job, parallel, throughput, target.gpu);
  answer.input = input_part(job, target, *calibration, throughput, step);
  answer.storage = storage_part(lowered->network, job, answer.time.images_per_second.value);
  answer.run = run_part(job, answer.time, usd_per_hour(job, target, knowledge));
  answer.warnings = warnings_of(*lowered, answer);
  answer.assumptions = assumptions_of(answer, *calibration);
  if (!options.layers) {
    answer.time.layers.clear();
  }
  return answer;
}

Engine make_engine(Knowledge knowledge) {
  const auto shared = std::make_shared<const Knowledge>(std::move(knowledge));
  Engine engine;
  engine.memory_floor = [](const job::Job& job, const Target&) {
    const auto lowered = lower(job);
    return lowered ? memory_floor(*lowered, job) : Bytes(0);
  };
  engine.time_floor = time_floor;
  engine.memory = [shared](const job::Job& job, const Target& target) { return simulate_memory(job, target, *shared); };
  engine.time = [shared](const job::Job& job, const Target& target) { return time_answer(job, target, *shared); };
  engine.full = [shared](const job::Job& job, const Target& target) { return estimate(job, target, *shared); };
  return engine;
}

}  // namespace vggplan::estimate
