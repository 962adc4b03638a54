// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <map>

#include "timing/fit.hpp"
#include "timing/least_squares.hpp"
#include "timing/rates.hpp"

namespace vggplan::timing {
namespace {

using Groups = std::map<ShapeClass, std::vector<const OpSample*>>;

Groups group(std::span<const OpSample> ops, bool streaming) {
  Groups groups;
  for (const OpSample& sample : ops) {
    if (is_streaming(sample.op.kind) == streaming && sample.seconds.count() > 0.0) {
      groups[classify(sample.op)].push_back(&sample);
    }
  }
  return groups;
}

/// Octaves between nodes. Linear is measured batch by batch, and its kernels change with each doubling.
double spacing(OpKind kind) { return is_linear(kind) ? 1.0 : 2.0; }

StreamRate fit_stream(const ShapeClass& shape, const std::vector<const OpSample*>& samples, base::Bytes l2) {
  std::vector<std::array<double, 3>> rows;
  for (const OpSample* sample : samples) {
    const double seconds = sample->seconds.count();
    const double bytes = sample->op.bytes().as_double();
    const double cached = cached_share(footprint(sample->op), l2);
    const double starts = sample->op.loop == OptimizerLoop::single ? static_cast<double>(sample->op.kernels) : 1.0;
    rows.push_back(
        {starts * 1e-6 / seconds, cached * bytes * 1e-12 / seconds, (1.0 - cached) * bytes * 1e-12 / seconds});
  }
  const auto same_size = [&](const OpSample* sample) { return sample->op.bytes() == samples.front()->op.bytes(); };
  if (std::all_of(samples.begin(), samples.end(), same_size)) {
    for (auto& row : rows) {
      row[0] = 0.0;  // one size cannot tell a start from a rate
    }
  }
  const std::array<double, 3> c = fit_non_negative(rows);
  StreamRate rate;
  rate.shape = shape;
  rate.start_seconds = c[0] * 1e-6;
  // Without samples in one of the two regimes the other stands for it; without both, the start is all.
  constexpr double kInstant = 1e15;
  const double uncached = c[2] > 0.0 ? 1e12 / c[2] : c[1] > 0.0 ? 1e12 / c[1] : kInstant;
  rate.uncached = base::BytesPerSecond(uncached);
  rate.cached = base::BytesPerSecond(c[1] > 0.0 ? 1e12 / c[1] : uncached);
  return rate;
}

ShareCurve fit_curve(const ShapeClass& shape, const std::vector<const OpSample*>& samples, const hardware::Gpu& gpu) {
  ShareCurve curve;
  curve.shape = shape;
  curve.octaves_per_node = spacing(shape.kind);
  std::vector<double> x;
  std::vector<double> y;
  for (const OpSample* sample : samples) {
    x.push_back(std::log2(curve_size(sample->op)));
    y.push_back(std::log(roofline_seconds(sample->op, gpu) / sample->seconds.count()));
  }
  const auto [least, most] = std::minmax_element(x.begin(), x.end());
  curve.first_octave = std::floor(*least);
  const double span = *most - curve.first_octave;
  const auto nodes = static_cast<std::size_t>(std::ceil(span / curve.octaves_per_node)) + 1;
  for (double& octave : x) {
    octave = (octave - curve.first_octave) / curve.octaves_per_node;
  }
  for (const double height : fit_nodes(x, y, nodes)) {
    curve.shares.push_back(std::exp(height));
  }
  return curve;
}

}  // namespace

void fit_streams(std::span<const OpSample> ops, Calibration& calibration) {
  for (const auto& [shape, samples] : group(ops, true)) {
    calibration.streams.push_back(fit_stream(shape, samples, calibration.l2_cache));
  }
}

void fit_curves(std::span<const OpSample> ops, const hardware::Gpu& gpu, Calibration& calibration) {
  for (const auto& [shape, samples] : group(ops, false)) {
    calibration.curves.push_back(fit_curve(shape, samples, gpu));
  }
}

}  // namespace vggplan::timing
