// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <cmath>

#include "timing/fit.hpp"
#include "timing/least_squares.hpp"
#include "timing/queue.hpp"
#include "timing/rates.hpp"
#include "vggplan/timing/step_time.hpp"

namespace vggplan::timing {
namespace {

constexpr std::array<double HostCosts::*, 9> kCoefficients{
    &HostCosts::step_seconds,
    &HostCosts::forward_op_seconds,
    &HostCosts::backward_op_seconds,
    &HostCosts::convolution_seconds,
    &HostCosts::kernel_seconds,
    &HostCosts::optimizer_pass_seconds,
    &HostCosts::optimizer_tensor_seconds,
    &HostCosts::busy_share,
    &HostCosts::unrecorded_share,
};

/// What PyTorch takes on a server of today, as a start for the search.
HostCosts first_guess() {
  HostCosts costs;
  costs.step_seconds = 100e-6;
  costs.forward_op_seconds = 15e-6;
  costs.backward_op_seconds = 15e-6;
  costs.convolution_seconds = 15e-6;
  costs.kernel_seconds = 3e-6;
  costs.optimizer_pass_seconds = 30e-6;
  costs.optimizer_tensor_seconds = 2e-6;
  costs.busy_share = 0.2;
  costs.unrecorded_share = 0.7;
  return costs;
}

/// A step with the device time of each op, which does not change while the host costs are searched.
struct Prepared {
  const StepSample* sample{};
  std::vector<double> device{};
};

double residual(double modelled, double measured) {
  // Large misses say that a row is odd, not that the coefficients are: they grow linearly.
  const double r = std::abs(std::log(std::max(modelled, 1e-9) / std::max(measured, 1e-9)));
  constexpr double kUsual = 0.3;
  return r < kUsual ? r * r : kUsual * (2.0 * r - kUsual);
}

double loss(const std::vector<Prepared>& steps, const HostCosts& costs) {
  double sum = 0.0;
  std::vector<Work> work;
  for (const Prepared& step : steps) {
    work.clear();
    for (std::size_t i = 0; i < step.sample->ops.size(); ++i) {
      const Op& op = step.sample->ops[i];
      Work item;
      item.phase = op.phase;
      item.host = host_seconds(op, costs);
      item.waits = op.kind == OpKind::host_read;
      item.after_first = op.after_first;
      item.device = step.device[i] + (item.waits ? 0.0 : static_cast<double>(op.kernels) * costs.gap_seconds);
      work.push_back(item);
    }
    const QueueTimes times = run_queue(work, costs, 1);
    sum += 4.0 * residual(times.step, step.sample->step.count());
    const std::array<base::Seconds, 3> measured{step.sample->forward, step.sample->backward, step.sample->optimizer};
    for (std::size_t i = 0; i < measured.size(); ++i) {
      sum += times.phases[i] > 0.0 ? residual(times.phases[i], measured[i].count()) : 0.0;
    }
  }
  return sum;
}

}  // namespace

void fit_host(std::span<const StepSample> steps, const hardware::Gpu& gpu, Calibration& calibration) {
  std::vector<Prepared> prepared;
  for (const StepSample& step : steps) {
    // The device alone decides long steps; where cuDNN tried or chose oddly they say nothing here.
    constexpr double kLongest = 0.030;
    if (step.chosen_by_trial || step.step.count() > kLongest || step.ops.empty()) {
      continue;
    }
    Prepared p{&step, {}};
    for (const Op& op : step.ops) {
      p.device.push_back(op_seconds(op, gpu, calibration).count());
    }
    prepared.push_back(std::move(p));
  }
  HostCosts best = first_guess();
  best.gap_seconds = calibration.host.gap_seconds;
  double least = loss(prepared, best);
  for (double stride = 1.6; stride > 1.01 && !prepared.empty();) {
    bool better = false;
    for (double HostCosts::*const coefficient : kCoefficients) {
      for (const double factor : {stride, 1.0 / stride}) {
        HostCosts candidate = best;
        candidate.*coefficient *= factor;
        const double value = loss(prepared, candidate);
        if (value < least) {
          least = value;
          best = candidate;
          better = true;
        }
      }
    }
    stride = better ? stride : 1.0 + 0.6 * (stride - 1.0);
  }
  calibration.host = best;
}

void fit_spread(std::span<const StepSample> steps, const hardware::Gpu& gpu, Calibration& calibration) {
  std::vector<double> usual;
  std::vector<double> fp32;
  std::vector<double> host;
  for (const StepSample& step : steps) {
    const StepTime time = step_time(step.ops, gpu, calibration);
    const double ratio = step.step.count() / time.step.value.count();
    const bool true_fp32 = std::any_of(step.ops.begin(), step.ops.end(), [](const Op& op) {
      return op.kind == OpKind::conv_forward && op.math == base::MathMode::fp32;
    });
    const bool host_bound = time.step.value.count() > 1.05 * time.device_busy.count();
    (true_fp32 ? fp32 : host_bound ? host : usual).push_back(ratio);
  }
  const auto spread = [](const std::vector<double>& ratios, double least) {
    // The observed range with a margin: the rows of tomorrow are not those of the fit.
    Spread s;
    s.low = std::min(1.0 - least, percentile(ratios, 0.02) - 0.5 * least);
    s.high = std::max(1.0 + least, percentile(ratios, 0.98) + 0.5 * least);
    return s;
  };
  calibration.spread = usual.empty() ? Spread{0.9, 1.1} : spread(usual, 0.04);
  calibration.spread_fp32 = fp32.empty() ? Spread{0.5, 2.0} : spread(fp32, 0.25);
  calibration.spread_host = host.empty() ? Spread{0.7, 1.4} : spread(host, 0.2);
}

}  // namespace vggplan::timing
