// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>

#include "timing/fit.hpp"
#include "timing/host.hpp"
#include "timing/least_squares.hpp"
#include "timing/spread.hpp"
#include "vggplan/timing/step_time.hpp"

namespace vggplan::timing {
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

/// By what steps of each kind differ when nothing was changed: GPUs of one kind and their clocks; cuDNN's choice in
/// true fp32 from size to size; the clock of one CPU core from run to run.
struct Kind {
  Spread Calibration::*spread{};
  double least{};
  Spread unknown{};
  std::vector<double> ratios{};
};

/// The kind that a step tells of, and by how much it differs. None where host and GPU decide together, or where
/// operations that were not measured widen the range by themselves.
struct Finding {
  Spread Calibration::*spread{};
  double ratio{};
};

Finding finding(const StepSample& step, const hardware::Gpu& gpu, const Calibration& calibration) {
  const StepTime time = step_time(step.ops, gpu, calibration);
  const double ratio = step.step.count() / time.step.value.count();
  const auto kind = spread_kind(step.ops, gpu);
  if (time.step.basis != calibration.basis) {
    return {};
  }
  if (kind == &Calibration::spread_fp32) {
    return {kind, ratio};
  }
  if (time.host_decides) {
    return {&Calibration::spread_host, ratio / host_factor(step.host_operation.count(), calibration.host_speed)};
  }
  const bool device_alone = !waits_for_host(time.host_busy.high.count(), time.device_busy.count());
  return {device_alone ? kind : nullptr, ratio};
}

}  // namespace

void fit_spread(std::span<const StepSample> steps, const hardware::Gpu& gpu, Calibration& calibration) {
  std::array<Kind, 3> kinds{{{&Calibration::spread, 0.04, {0.9, 1.1}, {}},
                             {&Calibration::spread_fp32, 0.0, {0.5, 2.0}, {}},
                             {&Calibration::spread_host, 0.2, {0.7, 1.4}, {}}}};
  const bool kept = std::any_of(steps.begin(), steps.end(), [](const StepSample& step) { return step.for_ranges; });
  for (const StepSample& step : steps) {
    const Finding found = finding(step, gpu, calibration);
    // Steps in true fp32 are never fitted to.
    if (found.spread == nullptr || (kept && !step.for_ranges && found.spread != &Calibration::spread_fp32)) {
      continue;
    }
    std::find_if(kinds.begin(), kinds.end(), [&](const Kind& k) {
      return k.spread == found.spread;
    })->ratios.push_back(found.ratio);
  }
  for (const Kind& kind : kinds) {
    calibration.*kind.spread = kind.ratios.empty()                        ? kind.unknown
                               : kind.spread == &Calibration::spread_fp32 ? spread_of_tails(kind.ratios)
                                                                          : spread_around(kind.ratios, kind.least);
  }
}

}  // namespace vggplan::timing
