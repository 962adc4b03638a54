// SPDX-License-Identifier: MIT
// torch/nn/parallel: one process. In each step it copies all parameters to the other GPUs, starts a thread for each of
// them, gathers the outputs on the first, and after backward, not beside it, adds the gradients up there. The optimizer
// runs on the first GPU alone.
#include <algorithm>

#include "estimate/parts.hpp"
#include "vggplan/timing/collectives.hpp"

namespace vggplan::estimate {

namespace {

/// Copying modules, and threads that wait for Python's lock, whose holder gives it up every 5 ms: with two H200 a step
/// took 10 ms more than its parts for VGG16 and 18 ms more for VGG11 with a pooled head (ways.jsonl). Of more GPUs
/// nobody measured it.
Estimated<Seconds> interpreter(std::int64_t gpus) {
  constexpr double kEach = 0.007;
  const double seconds = kEach * static_cast<double>(gpus);
  return {Seconds(seconds), Seconds(0.5 * seconds), Seconds(2.0 * seconds), base::Basis::modelled};
}

std::int64_t elements_of(const graph::Network& network) { return graph::count(network).parameters; }

/// All images lie on the first GPU, and all outputs. When backward is over, its own gradients and the sums.
Estimated<Bytes> first_gpu(const Lowered& lowered, const job::Job& job, const Memory& alone) {
  const std::int64_t others = (job.parallel.gpus - 1) * job.batch;
  std::int64_t each = lowered.network.input.elements() * base::size_of(job::parameter_type(job.precision));
  for (const graph::NodeId output : lowered.network.nodes.back().inputs) {
    each += lowered.network.nodes[output].output.elements() * base::size_of(job::activation_type(job.precision));
  }
  const Bytes more(others * each);
  Estimated<Bytes> peak = alone.run_peak;
  Bytes updated;  // parameters, state and gradients
  for (const auto& [category, bytes] : alone.breakdown) {
    updated += category == "parameters" || category == "optimizer-state" ? bytes : Bytes(0);
  }
  const Bytes gradients(elements_of(lowered.network) * base::size_of(job::parameter_type(job.precision)));
  const Bytes reduced = updated + 2 * gradients;
  for (Bytes* end : {&peak.value, &peak.low, &peak.high}) {
    *end = std::max(*end, reduced) + more;
  }
  peak.basis = base::Basis::modelled;
  return peak;
}

}  // namespace

DataParallel data_parallel_part(const Lowered& lowered, const Timed& asked) {
  const auto& [job, target, knowledge, calibration] = asked;
  job::Job alone = job;
  alone.parallel = {};
  const std::vector<timing::ParallelTime> sizes = timed_sizes(lowered, {alone, target, knowledge, calibration});
  const Bytes parameters(elements_of(lowered.network) * base::size_of(job::parameter_type(job.precision)));
  const Seconds once = timing::collective_seconds(timing::Collective::broadcast, parameters,
                                                  fabric_of(job, target, knowledge), calibration.links);
  constexpr double kUnsure = 0.5;
  const Estimated<Seconds> copies{2.0 * once, 2.0 * (1.0 - kUnsure) * once, 2.0 * (1.0 + kUnsure) * once,
                                  base::Basis::modelled};
  DataParallel answer;
  answer.step = timing::mean(sizes).step.step + copies + interpreter(job.parallel.gpus);
  answer.copied = parameters;
  answer.first_gpu_peak = first_gpu(lowered, job, memory_part({lowered, alone, target, knowledge.framework}, false));
  return answer;
}

}  // namespace vggplan::estimate
