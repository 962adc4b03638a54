// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <cmath>

#include "timing/fit.hpp"
#include "timing/least_squares.hpp"
#include "timing/queue.hpp"
#include "timing/spread.hpp"
#include "vggplan/timing/step_time.hpp"

namespace vggplan::timing {
namespace {

constexpr std::array<double HostCosts::*, 9> kHostCoefficients{
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
  // Misses by more than a third say that a row is odd, not that the coefficients are: they grow linearly.
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
      work.push_back(work_of(step.sample->ops[i], step.device[i], costs));
    }
    const QueueTimes times = run_queue(work, costs, 1);
    // The step is what is asked for; its three phases, which were timed with waits between them, count as much
    // together.
    constexpr double kStepWeight = 4.0;
    sum += kStepWeight * residual(times.step, step.sample->step.count());
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
    // The device alone decides steps of several times what the host needs (a few milliseconds); where cuDNN tried or
    // chose oddly they say nothing here.
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
  if (!prepared.empty()) {
    best = search(best, kHostCoefficients, {.first = 1.6, .last = 1.01},
                  [&](const HostCosts& costs) { return loss(prepared, costs); });
  }
  calibration.host = best;
}

namespace {

/// The observed range with a margin, since the rows of tomorrow are not those of the fit; never narrower than `least`.
Spread spread_around(const std::vector<double>& ratios, double least) {
  Spread s;
  s.low = std::min(1.0 - least, percentile(ratios, 0.02) - 0.5 * least);
  s.high = std::max(1.0 + least, percentile(ratios, 0.98) + 0.5 * least);
  return s;
}

/// In true fp32 one slow kernel in a hundred sizes makes a step several times as long: with few steps the slowest of
/// them tells how far, and that there are slower ones.
Spread spread_of_tails(const std::vector<double>& ratios) {
  constexpr double kBeyond = 1.25;
  return {percentile(ratios, 0.0) / kBeyond, percentile(ratios, 1.0) * kBeyond};
}

}  // namespace

void fit_spread(std::span<const StepSample> steps, const hardware::Gpu& gpu, Calibration& calibration) {
  // By what steps of each kind differ when nothing was changed: GPUs of one kind and their clocks; cuDNN's choice
  // in true fp32 from size to size; the clock of one CPU core from run to run.
  struct Kind {
    Spread Calibration::*spread{};
    double least{};
    Spread unknown{};
    std::vector<double> ratios{};
  };
  std::array<Kind, 3> kinds{{{&Calibration::spread, 0.04, {0.9, 1.1}, {}},
                             {&Calibration::spread_fp32, 0.0, {0.5, 2.0}, {}},
                             {&Calibration::spread_host, 0.2, {0.7, 1.4}, {}}}};
  const bool kept = std::any_of(steps.begin(), steps.end(), [](const StepSample& step) { return step.for_ranges; });
  for (const StepSample& step : steps) {
    const StepTime time = step_time(step.ops, gpu, calibration);
    if (time.step.basis != calibration.basis) {
      continue;  // operations that were not measured widen the range by themselves
    }
    const double modelled = time.step.value.count();
    const auto kind = spread_kind(step.ops, gpu, modelled, {time.device_busy.count(), time.host_busy.count()});
    if (kept && !step.for_ranges && kind != &Calibration::spread_fp32) {
      continue;  // was fitted to; steps in true fp32 never are
    }
    std::find_if(kinds.begin(), kinds.end(), [&](const Kind& k) {
      return k.spread == kind;
    })->ratios.push_back(step.step.count() / modelled);
  }
  for (const Kind& kind : kinds) {
    calibration.*kind.spread = kind.ratios.empty()                        ? kind.unknown
                               : kind.spread == &Calibration::spread_fp32 ? spread_of_tails(kind.ratios)
                                                                          : spread_around(kind.ratios, kind.least);
  }
}

}  // namespace vggplan::timing
