// SPDX-License-Identifier: MIT
#include "vggplan/timing/calibrate.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>

#include "timing/fit.hpp"
#include "timing/host.hpp"
#include "timing/least_squares.hpp"
#include "vggplan/timing/step_time.hpp"

namespace vggplan::timing {
namespace {

FitLine line(std::string what, const std::vector<double>& errors) {
  FitLine l;
  l.what = std::move(what);
  l.rows = errors.size();
  l.median_error = median(errors);
  l.worst_error = errors.empty() ? 0.0 : *std::max_element(errors.begin(), errors.end());
  return l;
}

double error(double modelled, double measured) { return std::abs(modelled / measured - 1.0); }

void describe_ops(std::span<const OpSample> ops, const hardware::Gpu& gpu, Fit& fit) {
  std::map<OpKind, std::vector<double>> errors;
  for (const OpSample& sample : ops) {
    if (sample.seconds.count() > 0.0) {
      errors[sample.op.kind].push_back(
          error(op_seconds(sample.op, gpu, fit.calibration).count(), sample.seconds.count()));
    }
  }
  for (const auto& [kind, values] : errors) {
    fit.lines.push_back(line(std::string(base::name_of_enum(kind)), values));
  }
}

void describe_steps(std::span<const StepSample> steps, const hardware::Gpu& gpu, Fit& fit) {
  std::vector<double> host;
  std::vector<double> step;
  std::vector<double> forward;
  std::vector<double> backward;
  std::vector<double> optimizer;
  for (const StepSample& sample : steps) {
    const StepTime time = step_time(sample.ops, gpu, fit.calibration);
    if (sample.on_host) {
      const double slower = host_factor(sample.host_operation.count(), fit.calibration.host_speed);
      host.push_back(error(slower * time.step.value.count(), sample.step.count()));
      continue;
    }
    const auto add = [](std::vector<double>& errors, base::Seconds modelled, base::Seconds measured) {
      if (modelled.count() > 0.0 && measured.count() > 0.0) {
        errors.push_back(error(modelled.count(), measured.count()));
      }
    };
    add(step, time.step.value, sample.step);
    add(forward, time.forward.value, sample.forward);
    add(backward, time.backward.value, sample.backward);
    add(optimizer, time.optimizer.value, sample.optimizer);
  }
  fit.lines.push_back(line("step", step));
  fit.lines.push_back(line("step: forward", forward));
  fit.lines.push_back(line("step: backward", backward));
  fit.lines.push_back(line("step: optimizer", optimizer));
  fit.lines.push_back(line("step of the host", host));
}

void describe_parallel(const Samples& samples, const hardware::Gpu& gpu, Fit& fit) {
  std::vector<double> collectives;
  for (const CollectiveSample& sample : samples.collectives) {
    collectives.push_back(
        error(collective_seconds(sample.collective, sample.bytes, sample.fabric, fit.calibration.links).count(),
              sample.seconds.count()));
  }
  std::vector<double> steps;
  for (const ParallelSample& sample : samples.parallel) {
    const ParallelTime time =
        parallel_step_time(sample.ops, gpu, fit.calibration, sample.options, sample.exchange, sample.fabric);
    steps.push_back(error(time.step.step.value.count(), sample.step.count()));
  }
  fit.lines.push_back(line("collective", collectives));
  fit.lines.push_back(line("step on several GPUs", steps));
}

/// Steps that were timed on the GPU, and are not kept for the ranges.
std::vector<StepSample> device_steps(const std::vector<StepSample>& steps) {
  std::vector<StepSample> found;
  std::copy_if(steps.begin(), steps.end(), std::back_inserter(found),
               [](const auto& step) { return !step.on_host && !step.for_ranges; });
  return found;
}

}  // namespace

Fit calibrate(const hardware::Gpu& gpu, const Samples& samples) {
  Fit fit;
  Calibration& calibration = fit.calibration;
  calibration.gpu = gpu.name;
  calibration.l2_cache = gpu.l2_cache;
  std::vector<StepSample> steps = samples.steps;
  const auto kept =
      std::stable_partition(steps.begin(), steps.end(), [](const auto& step) { return !step.for_ranges; });
  steps.erase(kept, steps.end());
  fit_streams(samples.ops, calibration);
  fit_curves(samples.ops, gpu, calibration);
  fit_levels(device_steps(samples.steps), gpu, calibration);
  fit_host_speed(samples.steps, calibration);
  fit_host(samples.steps, gpu, calibration);
  fit_spread(samples.steps, gpu, calibration);
  fit_links(samples, gpu, calibration);
  fit_input(samples, calibration);
  describe_ops(samples.ops, gpu, fit);
  describe_steps(steps, gpu, fit);
  describe_parallel(samples, gpu, fit);
  return fit;
}

}  // namespace vggplan::timing
