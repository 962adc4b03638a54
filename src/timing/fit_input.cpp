// SPDX-License-Identifier: MIT
#include <algorithm>
#include <map>
#include <numeric>
#include <string>

#include "timing/fit.hpp"
#include "timing/least_squares.hpp"

namespace vggplan::timing {
namespace {

std::vector<StageCurve> fit_stages(const std::vector<StageSample>& samples) {
  std::map<std::string, std::map<double, std::vector<double>>> stages;
  for (const StageSample& sample : samples) {
    stages[sample.stage][sample.pixels].push_back(sample.seconds.count());
  }
  std::vector<StageCurve> curves;
  for (const auto& [stage, sizes] : stages) {
    StageCurve curve;
    curve.stage = stage;
    for (const auto& [pixels, seconds] : sizes) {
      curve.nodes.push_back({pixels, median(seconds)});
    }
    curves.push_back(curve);
  }
  return curves;
}

/// Largest copies count: small ones show their start.
base::BytesPerSecond fit_copy(const std::vector<CopySample>& samples, base::BytesPerSecond otherwise) {
  const auto largest = std::max_element(samples.begin(), samples.end(),
                                        [](const CopySample& a, const CopySample& b) { return a.bytes < b.bytes; });
  return largest == samples.end() ? otherwise : largest->bytes / largest->seconds;
}

/// Rows are few, so each counts.
double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// What a loop takes beyond the measured stages, per byte handed over. Loops that keep the GPU busy say nothing
/// about workers; the busiest says what the GPU takes, which a loop without workers waits for as well.
void fit_handover(const std::vector<LoaderSample>& samples, InputRates& rates) {
  double busiest = 0.0;
  for (const LoaderSample& sample : samples) {
    busiest = std::max(busiest, sample.images_per_second);
  }
  constexpr double kBusy = 0.8;
  std::vector<double> with;
  std::vector<double> without;
  InputRates bare = rates;
  bare.handover_seconds_per_byte = 0.0;
  for (const LoaderSample& sample : samples) {
    const double cpu = worker_seconds(sample.path, bare).count();
    const double bytes = handed_bytes(sample.path).as_double();
    if (sample.workers == 0) {
      without.push_back((1.0 / sample.images_per_second - 1.0 / busiest - cpu) / bytes);
    } else if (sample.images_per_second < kBusy * busiest) {
      with.push_back((static_cast<double>(sample.workers) / sample.images_per_second - cpu) / bytes);
    }
  }
  if (!with.empty()) {
    rates.handover_seconds_per_byte = std::max(0.0, mean(with));
  }
  if (!without.empty()) {
    rates.inline_seconds_per_byte = std::max(0.0, mean(without));
  }
}

}  // namespace

void fit_input(const Samples& samples, Calibration& calibration) {
  calibration.input.stages = fit_stages(samples.stages);
  calibration.input.pinned_copy = fit_copy(samples.copies, calibration.input.pinned_copy);
  fit_handover(samples.loaders, calibration.input);
}

}  // namespace vggplan::timing
