// SPDX-License-Identifier: MIT
#include "estimate/time_part.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "estimate/memory_range.hpp"
#include "vggplan/graph/graph.hpp"
#include "vggplan/lowering/ops.hpp"
#include "vggplan/timing/carry_over.hpp"
#include "vggplan/timing/collectives.hpp"
#include "vggplan/timing/step_time.hpp"

namespace vggplan::estimate {

namespace {

using base::Estimated;

/// Only what the user names is known; the slowest of the catalogue promises no more than any of them keeps.
const hardware::Machine* slowest_network(const job::Job& job, const Target& target, const Knowledge& knowledge) {
  const hardware::Machine* slowest = nullptr;
  for (const hardware::Machine& machine : knowledge.machines) {
    const bool holds = machine.gpu == target.gpu.name && machine.gpu_count >= job::gpus_per_node(job);
    if (holds && machine.network && (slowest == nullptr || *machine.network < *slowest->network)) {
      slowest = &machine;
    }
  }
  return slowest;
}

}  // namespace

timing::Fabric fabric_of(const job::Job& job, const Target& target, const Knowledge& knowledge) {
  const std::int64_t here = job::gpus_per_node(job);
  const hardware::Topology topology = target.machine ? hardware::ring_topology(target.machine->topology, here)
                                                     : hardware::default_topology(target.gpu, here);
  const std::optional<std::string> name = hardware::peer_link(target.gpu, topology);
  const auto link = std::find_if(knowledge.links.begin(), knowledge.links.end(),
                                 [&](const hardware::Link& candidate) { return name && candidate.name == *name; });
  return timing::make_fabric(link == knowledge.links.end() ? hardware::Link{} : *link, topology, job.parallel.gpus,
                             job.parallel.nodes, interconnect_of(job, target, knowledge).per_node);
}

Interconnect interconnect_of(const job::Job& job, const Target& target, const Knowledge& knowledge) {
  if (target.machine && target.machine->network) {
    return {*target.machine->network, false, target.machine->name};
  }
  const hardware::Machine* like = target.machine ? nullptr : slowest_network(job, target, knowledge);
  return like == nullptr ? Interconnect{timing::kAssumedNetwork, true, ""}
                         : Interconnect{*like->network, true, like->name};
}

base::Result<timing::Calibration> calibration_for(const hardware::Gpu& gpu, const Knowledge& knowledge) {
  for (const Measured& measured : knowledge.measured) {
    if (measured.gpu.name == gpu.name) {
      timing::Calibration own = measured.calibration;
      if (!knowledge.framework.rules_of.empty()) {
        timing::mark_unmeasured(own);
      }
      return own;
    }
  }
  if (knowledge.measured.empty()) {
    return base::Diagnostic{base::Fault::program, "calibration", "no GPU has a calibration", "reinstall vggplan"};
  }
  std::vector<hardware::Gpu> candidates;
  std::transform(knowledge.measured.begin(), knowledge.measured.end(), std::back_inserter(candidates),
                 [](const Measured& measured) { return measured.gpu; });
  const Measured& from = knowledge.measured[timing::most_alike(candidates, gpu)];
  return timing::carry_over(from.calibration, from.gpu, gpu);
}

base::Status check_precision(const job::Job& job, const hardware::Gpu& gpu) {
  const base::MathMode math = job::convolution_math(job.precision);
  if (hardware::peak_rate(gpu, math)) {
    return std::nullopt;
  }
  return base::wrong("--precision",
                     fmt::format("{} needs {} arithmetic, which {} does not have", base::name_of_enum(job.precision),
                                 base::name_of_enum(math), gpu.name),
                     hardware::peak_rate(gpu, base::MathMode::fp16) ? "use amp-fp16 or tf32" : "use tf32 or fp32");
}

StepWork work_of(const Lowered& lowered, const job::Job& asked, const hardware::Gpu& gpu,
                 const lowering::Framework& framework) {
  job::Job job = asked;
  job.precision = job::runs_as(asked.precision, gpu);
  return {lowering::lower_ops(lowered.network, job, lowered.segments),
          lowering::exchange_of(lowered.network, job, framework)};
}

timing::OwnTime own_time_of(const StepWork& work, const Timed& asked) {
  const timing::StepOptions options{asked.job.accumulation * asked.job.forward_passes, asked.job.cudnn_benchmark};
  return timing::own_time(work.ops, asked.target.gpu, asked.calibration, options, work.exchange);
}

timing::ParallelTime step_of(const StepWork& work, const timing::OwnTime& own, const Timed& asked) {
  const auto& [job, target, knowledge, calibration] = asked;
  // In inference every GPU works for itself.
  const bool trains = job.mode == job::Mode::train;
  timing::ParallelTime time = timing::parallel_step_time(own, target.gpu, calibration, work.exchange,
                                                         trains ? fabric_of(job, target, knowledge) : timing::Fabric{});
  time.step = timing::repeated(std::move(time.step), job::closures(job));
  if (trains && job.parallel.nodes > 1 && interconnect_of(job, target, knowledge).assumed) {
    for (Estimated<Seconds>* part : {&time.communication, &time.exposed, &time.step.step}) {
      part->basis = base::Basis::assumed;
    }
  }
  return time;
}

namespace {

/// The whole, with the range of what the step may be as well.
timing::ParallelTime timed_step(const Lowered& lowered, const Timed& asked) {
  const auto timed = [&](const job::Job& job) {
    const Timed question{job, asked.target, asked.knowledge, asked.calibration};
    const StepWork work = work_of(lowered, job, asked.target.gpu, asked.knowledge.framework);
    return step_of(work, own_time_of(work, question), question);
  };
  timing::ParallelTime time = timed(asked.job);
  timing::StepTime& step = time.step;
  if (job::uses_lbfgs(asked.job)) {  // which may find no pair of vectors worth keeping
    job::Job few = asked.job;
    few.lbfgs.history_size = 0;
    const timing::StepTime least = timed(few).step;
    step.step.low = std::min(step.step.low, least.step.low);
    step.optimizer.low = std::min(step.optimizer.low, least.optimizer.low);
  }
  if (!measured_way(asked.job)) {
    constexpr double kUnsure = 0.1;
    for (Estimated<Seconds>* part : {&step.step, &step.forward, &step.backward}) {
      *part = {part->value, part->low * (1.0 - kUnsure), part->high * (1.0 + kUnsure), base::Basis::modelled};
    }
  }
  return time;
}

}  // namespace

std::vector<timing::ParallelTime> timed_sizes(const Lowered& lowered, const Timed& asked) {
  const auto& [job, target, knowledge, calibration] = asked;
  if (job.sizes.empty()) {
    return {timed_step(lowered, asked)};
  }
  std::vector<timing::ParallelTime> times;
  for (std::size_t i = 0; i < job.sizes.size(); ++i) {
    times.push_back(timed_step({lowered.sizes[i], lowered.segments, {}},
                               {job::of_size(job, job.sizes[i]), target, knowledge, calibration}));
  }
  return times;
}

double images_per_second(const job::Job& job, const timing::InputThroughput& throughput) {
  return throughput.images_per_second * static_cast<double>(job.parallel.nodes);
}

std::string bound_by(const timing::ParallelTime& parallel, const timing::InputThroughput& throughput) {
  const bool waiting = parallel.exposed.value * 2.0 > parallel.step.step.value;
  if (throughput.bound != timing::Bound::gpu) {
    return std::string(name_of(throughput.bound));
  }
  return waiting ? "communication" : parallel.step.host_decides ? "host" : "gpu";
}

namespace {

/// `shown` less `part`, both in ranges of their own.
Estimated<Seconds> beyond(const Estimated<Seconds>& shown, const Estimated<Seconds>& part) {
  const auto [low, high] = std::minmax({shown.low - part.low, shown.high - part.high});
  const Seconds value = shown.value - part.value;
  return {value, std::min(low, value), std::max(high, value), base::weaker(shown.basis, part.basis)};
}

void add_input(Time& time, const job::Job& job, const Fed& fed) {
  const auto images = static_cast<double>(job::global_batch(job));
  const auto nodes = static_cast<double>(job.parallel.nodes);
  const auto rate = [&](const timing::InputThroughput& throughput) { return images_per_second(job, throughput); };
  const auto seconds = [&](const timing::InputThroughput& throughput) { return Seconds(images / rate(throughput)); };
  time.images_per_second = {rate(fed.value), rate(fed.slow), rate(fed.fast), time.step.basis};
  time.iteration = {seconds(fed.value), seconds(fed.fast), seconds(fed.slow), time.step.basis};
  time.input_exposed = beyond(time.iteration, time.step);
  const Seconds alone(images / (fed.value.input_images_per_second() * nodes));
  time.input = base::exactly(alone, base::Basis::modelled);
}

/// Dynamo, inductor and Triton, with empty caches: 9 seconds for VGG16 in inference, 14 to 20 for VGG, ResNet-18 and a
/// U-Net in training, 37 for ResNet-50 (16 cores, PyTorch 2.11). With what an earlier process has left in the caches
/// less than half of it.
std::optional<Estimated<Seconds>> compile_time(const graph::Network& network, const job::Job& job) {
  constexpr double kStart = 12.0;
  constexpr double kNode = 0.14;
  constexpr double kInference = 0.55;
  if (job.compile == job::Compile::none) {
    return std::nullopt;
  }
  const double seconds =
      (kStart + kNode * static_cast<double>(network.nodes.size())) * (job.mode == job::Mode::infer ? kInference : 1.0);
  return Estimated<Seconds>{Seconds(seconds), Seconds(0.3 * seconds), Seconds(2.5 * seconds), base::Basis::assumed};
}

/// Of several sizes the mean.
base::Flops flops_per_image(const Lowered& lowered, job::Mode mode) {
  const auto of = [mode](const graph::Network& network) {
    const graph::LayerCounts counts = graph::count(network);
    return mode == job::Mode::train ? counts.flops_forward + counts.flops_backward : counts.flops_forward;
  };
  if (lowered.sizes.empty()) {
    return of(lowered.network);
  }
  std::int64_t sum = 0;
  for (const graph::Network& network : lowered.sizes) {
    sum += of(network).count() / static_cast<std::int64_t>(lowered.sizes.size());
  }
  return base::Flops(sum);
}

}  // namespace

Time time_part(const Lowered& lowered, const job::Job& job, const timing::ParallelTime& parallel, const Fed& fed,
               const hardware::Gpu& gpu) {
  Time time;
  time.step = parallel.step.step;
  time.forward = parallel.step.forward;
  time.backward = parallel.step.backward;
  time.optimizer = parallel.step.optimizer;
  time.communication = parallel.communication;
  time.communication_exposed = parallel.exposed;
  time.parallel_overhead = parallel.overhead;
  time.host = parallel.step.host_busy;
  time.host_operation = parallel.step.host_operation;
  time.compile = compile_time(lowered.network, job);
  time.bound_by = bound_by(parallel, fed.value);
  add_input(time, job, fed);
  const base::Flops per_image = flops_per_image(lowered, job.mode);
  if (const auto peak = hardware::peak_rate(gpu, job::convolution_math(job.precision))) {
    const double peaks = peak->count() * static_cast<double>(job.parallel.gpus);
    time.model_flops_utilization = per_image.as_double() * time.images_per_second.value / peaks;
  }
  for (graph::NodeId id = 1; id < parallel.step.layers.size(); ++id) {  // behind the image
    time.layers.push_back(
        {lowered.network.nodes[id].name, parallel.step.layers[id].forward, parallel.step.layers[id].backward});
  }
  return time;
}

}  // namespace vggplan::estimate
