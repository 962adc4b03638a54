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

constexpr std::array<double HostCosts::*, 16> kHostCoefficients{
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

/// The phases of a step as its row times them: what the host takes where nothing else was waited for.
QueueTimes modelled(const Prepared& step, const HostCosts& costs) {
  std::vector<Work> work;
  for (std::size_t i = 0; i < step.sample->ops.size(); ++i) {
    work.push_back(work_of(step.sample->ops[i], step.device[i], costs));
  }
  QueueTimes times = run_queue(work, costs, 1);
  if (step.sample->on_host) {
    times.phases = host_phases(work, costs);
  }
  return times;
}

double loss(const std::vector<Prepared>& steps, const HostSpeed& speed, const HostCosts& costs) {
  double sum = 0.0;
  for (const Prepared& step : steps) {
    const StepSample& sample = *step.sample;
    const QueueTimes times = modelled(step, costs);
    const double slower = sample.on_host ? host_factor(sample.host_operation.count(), speed) : 1.0;
    // The step is what is asked for; its three phases, which were timed with waits between them, count as much
    // together.
    constexpr double kStepWeight = 4.0;
    sum += kStepWeight * residual(slower * times.step, sample.step.count());
    const std::array<base::Seconds, 3> measured{sample.forward, sample.backward, sample.optimizer};
    for (std::size_t i = 0; i < measured.size(); ++i) {
      sum += times.phases[i] > 0.0 ? residual(slower * times.phases[i], measured[i].count()) : 0.0;
    }
  }
  return sum;
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
  speed.operation = median(operations);
}

void fit_host(std::span<const StepSample> steps, const hardware::Gpu& gpu, Calibration& calibration) {
  const bool host_rows = std::any_of(steps.begin(), steps.end(), [](const auto& step) { return step.on_host; });
  std::vector<Prepared> prepared;
  for (const StepSample& step : steps) {
    // The device alone decides steps of several times what the host needs (a few milliseconds); where cuDNN tried or
    // chose oddly they say nothing here.
    constexpr double kLongest = 0.030;
    if (step.on_host == host_rows && !step.chosen_by_trial && step.step.count() <= kLongest && !step.ops.empty()) {
      prepared.push_back(prepare(step, gpu, calibration));
    }
  }
  HostCosts best = first_guess();
  best.gap_seconds = calibration.host.gap_seconds;
  if (!prepared.empty()) {
    best = search(best, kHostCoefficients, {.first = 1.6, .last = 1.01},
                  [&](const HostCosts& costs) { return loss(prepared, calibration.host_speed, costs); });
  }
  calibration.host = best;
}

}  // namespace vggplan::timing
