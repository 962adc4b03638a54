// SPDX-License-Identifier: MIT
#include "timing/queue.hpp"

#include <algorithm>
#include <vector>

#include "timing/host.hpp"
#include "vggplan/timing/step_time.hpp"

namespace vggplan::timing {
namespace {

struct Clocks {
  double host{};
  double device{};

  void run(const Work& work, const HostCosts& costs) {
    host += work.host + costs.busy_share * work.device;
    device = std::max(device, host) + work.device;
    if (work.waits) {
      host = device;
    }
  }
};

std::size_t index_of(base::Phase phase) {
  switch (phase) {
    case base::Phase::setup: return 0;
    case base::Phase::forward: return 0;
    case base::Phase::backward: return 1;
    case base::Phase::optimizer: return 2;
  }
  return 0;
}

bool skipped(const Work& work, std::int64_t micro_batch, std::int64_t micro_batches) {
  return (work.after_first && micro_batch == 0) ||
         (work.phase == base::Phase::optimizer && micro_batch + 1 < micro_batches);
}

/// One step of `micro_batches`; adds the device time of each phase to `phases`.
void step(std::span<const Work> work, const HostCosts& costs, std::int64_t micro_batches, Clocks& clocks,
          std::array<double, 3>& phases) {
  clocks.host += costs.step_seconds;
  for (std::int64_t i = 0; i < micro_batches; ++i) {
    for (const Work& item : work) {
      if (skipped(item, i, micro_batches)) {
        continue;
      }
      const double before = clocks.device;
      clocks.run(item, costs);
      phases[index_of(item.phase)] += clocks.device - before;
    }
  }
}

}  // namespace

Work work_of(const Op& op, double kernel_seconds, const HostCosts& costs, const HostSpeed& speed) {
  Work work;
  work.phase = op.phase;
  work.host = host_seconds(op, costs, speed);
  work.waits = op.kind == OpKind::host_read;
  work.after_first = op.after_first;
  work.device = kernel_seconds + (work.waits ? 0.0 : static_cast<double>(op.kernels) * costs.gap_seconds);
  return work;
}

std::array<double, 3> host_phases(std::span<const Work> work, const HostCosts& costs) {
  std::array<double, 3> phases{costs.step_seconds, 0.0, 0.0};
  for (const Work& item : work) {
    phases[index_of(item.phase)] += item.after_first ? 0.0 : item.host + costs.busy_share * item.device;
  }
  return phases;
}

namespace {

QueueTimes run(std::span<const Work> work, const HostCosts& costs, std::int64_t accumulation) {
  // Micro-batches after the second are all alike: their time is that of the third less the second.
  constexpr std::int64_t kSimulated = 3;
  const std::int64_t simulated = std::min(accumulation, kSimulated);
  const auto more = static_cast<double>(accumulation - simulated);
  QueueTimes times;
  Clocks alone;
  step(work, costs, simulated, alone, times.phases);
  const auto period = [&](std::int64_t micro_batches) {
    Clocks clocks;
    std::array<double, 3> ignored{};
    constexpr int kWarmUp = 2;
    for (int i = 0; i < kWarmUp; ++i) {
      step(work, costs, micro_batches, clocks, ignored);
    }
    const double start = clocks.device;
    step(work, costs, micro_batches, clocks, ignored);
    return clocks.device - start;
  };
  times.step = period(simulated);
  if (more > 0.0) {
    times.step += more * (times.step - period(simulated - 1));
    std::array<double, 3> fewer{};
    Clocks other;
    step(work, costs, simulated - 1, other, fewer);
    for (const base::Phase phase : {base::Phase::forward, base::Phase::backward}) {  // the optimizer runs once
      const std::size_t i = index_of(phase);
      times.phases[i] += more * (times.phases[i] - fewer[i]);
    }
  }
  return times;
}

}  // namespace

QueueTimes run_queue(std::span<const Work> work, const HostCosts& costs, std::int64_t accumulation,
                     const Scale& scale) {
  std::vector<Work> scaled(work.begin(), work.end());
  for (Work& item : scaled) {
    item.device *= scale.device;
    item.host *= scale.host;
  }
  HostCosts slower = costs;
  slower.step_seconds *= scale.host;
  slower.busy_share *= scale.host / scale.device;  // of the kernels' time
  return run(scaled, slower, accumulation);
}

}  // namespace vggplan::timing
