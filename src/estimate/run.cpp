// SPDX-License-Identifier: MIT
#include "vggplan/estimate/run.hpp"

#include <algorithm>

#include "estimate/parts.hpp"
#include "estimate/storage_part.hpp"
#include "vggplan/lowering/saved.hpp"
#include "vggplan/lowering/tape.hpp"

namespace vggplan::estimate {

namespace {

/// nvJPEG's time was measured on one kind of image. Sixteen of 1024x1024 in a run of train.py took 0.41 of it
/// (launched_runs.jsonl, H200): what an image shows decides, and the other side was not measured.
constexpr double kFastDecode = 0.4;
constexpr double kSlowDecode = 1.5;

base::Result<Lowered> checked(const job::Job& job, const Target& target) {
  TRY(job::validate(job));
  TRY(check_precision(job, target.gpu));
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
  const base::Flops once =
      job.mode == job::Mode::train ? counts.flops_forward + counts.flops_backward : counts.flops_forward;
  model.flops_step = once * (job.batch * job.accumulation * job.forward_passes * job::closures(job));
  if (job.mode == job::Mode::train) {
    model.saved_activations = lowering::saved_bytes(lowered.network, lowered.segments, job).activations();
  }
  return model;
}

}  // namespace

bool runs_on(const lowering::Framework& framework, const hardware::Gpu& gpu) {
  const std::int64_t capability = hardware::capability_number(gpu.compute_capability);
  return capability >= hardware::capability_number(framework.least_capability) &&
         (framework.most_capability.empty() || capability <= hardware::capability_number(framework.most_capability));
}

base::Result<MemoryAnswer> simulate_memory(const job::Job& job, const Target& target, const Knowledge& knowledge) {
  const auto lowered = TRY(checked(job, target));
  return memory_answer({lowered, job, target, knowledge.framework});
}

base::Result<Estimate> estimate(const job::Job& job, const Target& target, const Knowledge& knowledge,
                                const Options& options) {
  const auto lowered = TRY(checked(job, target));
  const auto calibration = TRY(calibration_for(target.gpu, knowledge));
  Estimate answer;
  answer.job = job;
  answer.target = priced(target, knowledge);
  answer.model = summary_of(lowered, job);
  const Question held{lowered, job, target, knowledge.framework};
  const Timed timed{job, target, knowledge, calibration};
  answer.memory = memory_part(held, options.timeline);
  const std::vector<timing::ParallelTime> sizes = timed_sizes(lowered, timed);
  const timing::ParallelTime parallel = sizes.size() == 1 ? sizes.front() : timing::mean(sizes);
  const Seconds step = parallel.step.step.value;
  const Fed fed{feed(timed, step), feed(timed, parallel.step.step.high, kSlowDecode),
                feed(timed, parallel.step.step.low, kFastDecode)};
  answer.time = time_part(lowered, job, parallel, fed, target.gpu);
  for (std::size_t i = 0; i < job.sizes.size(); ++i) {
    answer.time.by_size.emplace_back(job.sizes[i], sizes[i].step.step);
  }
  if (job.parallel.data_parallel && job.mode == job::Mode::train) {
    answer.data_parallel = data_parallel_part(lowered, timed);
  }
  answer.input = input_part(timed, step);
  answer.storage = storage_part(lowered.network, job,
                                answer.input.images_per_second_needed * static_cast<double>(job.parallel.nodes));
  answer.storage.offers = storage_offers(timed, step);
  answer.price = quote(job, target, knowledge);
  answer.run = run_part(job, answer.time, answer.price ? std::optional(answer.price->per_hour) : std::nullopt);
  const Interconnect network = interconnect_of(job, target, knowledge);
  answer.warnings = warnings_of(lowered, answer, network, knowledge.framework);
  answer.assumptions = assumptions_of(answer, calibration, network, knowledge.framework);
  if (options.layers) {
    answer.layers = layer_part(held, answer.time.layers);
  } else {
    answer.time.layers.clear();
  }
  return answer;
}

base::Result<Process> process_of(const job::Job& job, const Target& target, const lowering::Framework& framework) {
  constexpr std::int64_t kMostMicroBatches = 64;  // so many are written one by one
  if (job.accumulation > kMostMicroBatches) {
    return base::wrong("accumulation", "has too many micro-batches to be replayed one by one");
  }
  const Lowered lowered = TRY(checked(job, target));
  Process process{
      lowering::lower_tape(lowered.network, job, lowered.segments, framework, device_of(target.gpu, framework)), {}};
  for (const graph::Node& node : lowered.network.nodes) {
    process.layers.push_back(node.name);
  }
  process.layers.resize(std::max(process.layers.size(), process.tape.layers));
  return process;
}

}  // namespace vggplan::estimate
