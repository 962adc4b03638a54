// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <cmath>

#include "timing/fit.hpp"
#include "timing/host.hpp"
#include "timing/least_squares.hpp"
#include "timing/queue.hpp"
#include "vggplan/timing/step_time.hpp"

namespace vggplan::timing {
namespace {

constexpr std::array<double HostCosts::*, 16> kAllCosts{
    &HostCosts::step_seconds,
    &HostCosts::forward_op_seconds,
    &HostCosts::unrecorded_share,
    &HostCosts::cast_seconds,
    &HostCosts::backward_seconds,
    &HostCosts::backward_op_seconds,
    &HostCosts::gradient_seconds,
    &HostCosts::kernel_seconds,
    &HostCosts::checkpoint_seconds,
    &HostCosts::recompute_seconds,
    &HostCosts::saved_tensor_seconds,
    &HostCosts::optimizer_pass_seconds,
    &HostCosts::optimizer_tensor_seconds,
    &HostCosts::optimizer_call_seconds,
    &HostCosts::scaler_seconds,
    &HostCosts::busy_share,
};

/// An idle GPU says nothing of what launches cost beside a busy one.
constexpr auto kCostsOfIdleGpu = [] {
  std::array<double HostCosts::*, kAllCosts.size() - 1> costs{};
  std::copy_n(kAllCosts.begin(), costs.size(), costs.begin());
  return costs;
}();
constexpr std::array<double HostCosts::*, 1> kBusyShare{kAllCosts.back()};

/// What PyTorch takes on a server of today, as a start for the search; what no row tells of stays.
HostCosts first_guess() {
  HostCosts costs;
  costs.step_seconds = 100e-6;
  costs.forward_op_seconds = 25e-6;
  costs.unrecorded_share = 0.7;
  costs.cast_seconds = 20e-6;
  costs.backward_seconds = 300e-6;
  costs.backward_op_seconds = 15e-6;
  costs.gradient_seconds = 40e-6;
  costs.kernel_seconds = 3e-6;
  costs.checkpoint_seconds = 200e-6;
  costs.recompute_seconds = 500e-6;
  costs.saved_tensor_seconds = 10e-6;
  costs.optimizer_pass_seconds = 60e-6;
  costs.optimizer_tensor_seconds = 8e-6;
  costs.optimizer_call_seconds = 12e-6;
  costs.scaler_seconds = 300e-6;
  costs.busy_share = 0.2;
  return costs;
}

/// A step with the device time of each op, which does not change while the host costs are searched.
struct Prepared {
  const StepSample* sample{};
  std::vector<double> device{};
};

Prepared prepare(const StepSample& step, const hardware::Gpu& gpu, const Calibration& calibration) {
  Prepared prepared{&step, {}};
  for (const Op& op : step.ops) {
    prepared.device.push_back(op_seconds(op, gpu, calibration).count());
  }
  return prepared;
}

double residual(double modelled, double measured) {
  // Misses by more than a third say that a row is odd, not that the coefficients are: they grow linearly.
  const double r = std::abs(std::log(std::max(modelled, 1e-9) / std::max(measured, 1e-9)));
  constexpr double kUsual = 0.3;
  return r < kUsual ? r * r : kUsual * (2.0 * r - kUsual);
}

std::vector<Work> work_of(const Prepared& step, const HostCosts& costs, const HostSpeed& speed) {
  std::vector<Work> work;
  for (std::size_t i = 0; i < step.sample->ops.size(); ++i) {
    work.push_back(work_of(step.sample->ops[i], step.device[i], costs, speed));
  }
  return work;
}

/// The step on the host of its row, as far as that tells its speed.
QueueTimes modelled(const Prepared& step, const HostSpeed& speed, const HostCosts& costs) {
  const StepSample& sample = *step.sample;
  const std::vector<Work> work = work_of(step, costs, speed);
  const double slower = host_factor(sample.host_operation.count(), speed);
  QueueTimes times = run_queue(work, costs, 1, {1.0, slower});
  if (sample.on_host) {
    times.phases = host_phases(work, costs);
    for (double& phase : times.phases) {
      phase *= slower;
    }
  }
  return times;
}

double loss(const std::vector<Prepared>& steps, const HostSpeed& speed, const HostCosts& costs) {
  double sum = 0.0;
  for (const Prepared& step : steps) {
    const StepSample& sample = *step.sample;
    const QueueTimes times = modelled(step, speed, costs);
    // The step is what is asked for; its three phases, which were timed with waits between them, count as much
    // together.
    constexpr double kStepWeight = 4.0;
    sum += kStepWeight * residual(times.step, sample.step.count());
    const std::array<base::Seconds, 3> measured{sample.forward, sample.backward, sample.optimizer};
    for (std::size_t i = 0; i < measured.size(); ++i) {
      sum += residual(times.phases[i], measured[i].count());
    }
  }
  return sum;
}

template <class Wanted>
std::vector<Prepared> prepared(std::span<const StepSample> steps, const hardware::Gpu& gpu,
                               const Calibration& calibration, Wanted wanted) {
  std::vector<Prepared> found;
  for (const StepSample& step : steps) {
    // The device alone decides steps of several times what the host needs (a few milliseconds); where cuDNN tried or
    // chose oddly they say nothing here.
    constexpr double kLongest = 0.030;
    if (wanted(step) && !step.chosen_by_trial && step.step.count() <= kLongest) {
      found.push_back(prepare(step, gpu, calibration));
    }
  }
  return found;
}

template <std::size_t N>
void fit_costs(const std::vector<Prepared>& steps, const std::array<double HostCosts::*, N>& costs,
               Calibration& calibration) {
  if (!steps.empty()) {
    calibration.host = search(calibration.host, costs, {.first = 1.6, .last = 1.01}, [&](const HostCosts& candidate) {
      return loss(steps, calibration.host_speed, candidate);
    });
  }
}

}  // namespace

void fit_host_speed(std::span<const StepSample> steps, Calibration& calibration) {
  std::vector<double> operations;
  for (const StepSample& step : steps) {
    if (step.host_operation.count() > 0.0) {
      operations.push_back(step.host_operation.count());
    }
  }
  if (operations.empty()) {
    return;
  }
  HostSpeed& speed = calibration.host_speed;
  speed.low = percentile(operations, 0.02);
  speed.high = percentile(operations, 0.98);
  // Not the median, which tells how often each host was drawn: half way between the ends neither is far off.
  speed.operation = std::sqrt(speed.low * speed.high);
}

void fit_host(std::span<const StepSample> steps, const hardware::Gpu& gpu, Calibration& calibration) {
  HostCosts start = first_guess();
  start.gap_seconds = calibration.host.gap_seconds;
  calibration.host = start;
  const auto on_host = [](const StepSample& step) { return step.on_host && !step.for_ranges; };
  const std::vector<Prepared> hosts = prepared(steps, gpu, calibration, on_host);
  if (hosts.empty()) {
    const auto fitted = [](const StepSample& step) { return !step.for_ranges; };
    fit_costs(prepared(steps, gpu, calibration, fitted), kAllCosts, calibration);
    return;
  }
  fit_costs(hosts, kCostsOfIdleGpu, calibration);
  const auto known = [](const StepSample& step) {
    return !step.on_host && !step.for_ranges && step.host_operation.count() > 0.0;
  };
  fit_costs(prepared(steps, gpu, calibration, known), kBusyShare, calibration);
}

}  // namespace vggplan::timing
