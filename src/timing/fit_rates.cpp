// SPDX-License-Identifier: MIT
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <map>
#include <tuple>
#include <vector>

#include "timing/fit.hpp"
#include "timing/least_squares.hpp"
#include "timing/rates.hpp"
#include "timing/tiles.hpp"

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
    const double starts = sample->op.impl == base::OptimizerImpl::loop ? static_cast<double>(sample->op.kernels) : 1.0;
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

template <class Wanted>
std::vector<const OpSample*> those_or_all(const std::vector<const OpSample*>& samples, Wanted wanted) {
  std::vector<const OpSample*> chosen;
  std::copy_if(samples.begin(), samples.end(), std::back_inserter(chosen), wanted);
  return chosen.empty() ? samples : chosen;
}

/// The samples that say most of a class. Convolutions alone on random numbers draw more power, and clock lower, than
/// those of which half are zeros, as in a step; in channels_last they run without copies.
std::vector<const OpSample*> telling(const std::vector<const OpSample*>& samples) {
  const auto zeros = those_or_all(samples, [](const OpSample* sample) { return sample->half_zero; });
  return those_or_all(zeros, [](const OpSample* sample) { return sample->op.layout == base::Layout::nhwc; });
}

/// Widths of full tiles have curves; what others do follows from them. A few sizes of what cuDNN switches by say
/// nothing of larger ones.
bool has_curve(const ShapeClass& shape, std::size_t samples) {
  constexpr std::size_t kFew = 4;
  if (is_convolution(shape.kind) && shape.variant != Variant::huge && shape.variant != Variant::usual &&
      samples < kFew) {
    return false;
  }
  const auto is_power = [](std::int64_t width) { return std::has_single_bit(static_cast<std::uint64_t>(width)); };
  return !runs_in_tiles(shape) || (is_power(shape.channels) && is_power(shape.outputs));
}

/// By how much longer the samples take in the mean than by their curve, which passes through the middle of them: what
/// now and then falls to a slow kernel counts in the sum over layers. Ratios above `kMost` say more of one size than of
/// all.
double mean_ratio(const ShareCurve& curve, const std::vector<double>& octaves, const std::vector<double>& logarithms) {
  constexpr double kMost = 1.5;
  double sum = 0.0;
  for (std::size_t i = 0; i < octaves.size(); ++i) {
    sum += std::min(kMost, share_at(curve, octaves[i]) / std::exp(logarithms[i]));
  }
  return sum / static_cast<double>(octaves.size());
}

ShareCurve fit_curve(const ShapeClass& shape, const std::vector<const OpSample*>& samples, const hardware::Gpu& gpu,
                     const Calibration& calibration) {
  ShareCurve curve;
  curve.shape = shape;
  curve.octaves_per_node = spacing(shape.kind);
  constexpr double kLeast = 0.1;  // of its time that a convolution computes
  std::vector<double> x;
  std::vector<double> y;
  for (const OpSample* sample : samples) {
    const double copies = copy_seconds(sample->op, gpu, calibration);
    const double kernel = std::max(sample->seconds.count() - copies, kLeast * sample->seconds.count());
    x.push_back(std::log2(curve_size(sample->op)));
    y.push_back(std::log(roofline_seconds(sample->op, gpu) / kernel));
  }
  const auto [least, most] = std::minmax_element(x.begin(), x.end());
  curve.first_octave = std::floor(*least);
  const double span = *most - curve.first_octave;
  const auto nodes = static_cast<std::size_t>(std::ceil(span / curve.octaves_per_node)) + 1;
  std::vector<double> at;
  for (const double octave : x) {
    at.push_back((octave - curve.first_octave) / curve.octaves_per_node);
  }
  std::vector<double> heights = fit_nodes(at, y, nodes);
  if (has_other_filter(shape)) {  // a node with points on one side only may lie beyond all of them
    const auto [lowest, highest] = std::minmax_element(y.begin(), y.end());
    for (double& height : heights) {
      height = std::clamp(height, *lowest, *highest);
    }
  }
  for (const double height : heights) {
    curve.shares.push_back(std::exp(height));
  }
  const double slower = mean_ratio(curve, x, y);
  for (double& share : curve.shares) {
    share /= slower;
  }
  return curve;
}

/// Whether its channels need no padding.
bool is_whole(const Op& op) {
  const std::int64_t size = base::size_of(op.type);
  return whole_vectors(op.extent.c, size) == op.extent.c && whole_vectors(op.extent.k, size) == op.extent.k;
}

/// What tells convolutions apart but their layout.
using Twin =
    std::tuple<OpKind, base::DType, std::int64_t, std::int64_t, std::int64_t, std::int64_t, std::int64_t, bool>;

Twin twin_of(const OpSample& sample) {
  const Extent& e = sample.op.extent;
  return {sample.op.kind, sample.op.type, e.n, e.c, e.k, e.h, e.w, sample.half_zero};
}

/// Bytes per second of turning: the median of what contiguous convolutions take longer than those in channels_last.
void fit_turning(std::span<const OpSample> ops, Calibration& calibration) {
  constexpr double kStart = 3e-6;
  constexpr double kTelling = 20e-6;  // shorter differences are those of starts
  std::map<Twin, double> plain;
  for (const OpSample& sample : ops) {
    if (runs_in_tiles(classify(sample.op)) && sample.op.layout == base::Layout::nhwc) {
      plain[twin_of(sample)] = sample.seconds.count();
    }
  }
  std::map<base::DType, std::vector<double>> rates;
  for (const OpSample& sample : ops) {
    const auto twin = plain.find(twin_of(sample));
    if (sample.op.layout != base::Layout::nchw || twin == plain.end() || !is_whole(sample.op)) {
      continue;
    }
    const double longer = sample.seconds.count() - twin->second;
    if (longer > kTelling) {
      rates[base::size_of(sample.op.type) == 4 ? base::DType::f32 : base::DType::f16].push_back(
          copies_of(sample.op).bytes / (longer - kStart));
    }
  }
  for (const auto& [type, found] : rates) {
    const base::BytesPerSecond rate(median(found));
    calibration.streams.push_back({turning_of(type), kStart, rate, rate});
  }
  sort_by_shape(calibration);
}

}  // namespace

void fit_streams(std::span<const OpSample> ops, Calibration& calibration) {
  for (const auto& [shape, samples] : group(ops, true)) {
    calibration.streams.push_back(fit_stream(shape, samples, calibration.l2_cache));
  }
  fit_turning(ops, calibration);
}

namespace {

/// A few convolutions of an octave of channels say little beyond their own sizes: those of the next octaves join them.
std::vector<const OpSample*> with_neighbours(const Groups& groups, const ShapeClass& shape,
                                             std::vector<const OpSample*> samples) {
  constexpr std::size_t kEnough = 8;
  if (!has_other_filter(shape) || samples.size() >= kEnough) {
    return samples;
  }
  for (const std::int64_t channels : {shape.channels / 2, shape.channels * 2}) {
    ShapeClass next = shape;
    next.channels = channels;
    const auto found = groups.find(next);
    if (channels > 0 && found != groups.end()) {
      samples.insert(samples.end(), found->second.begin(), found->second.end());
    }
  }
  return samples;
}

}  // namespace

void fit_curves(std::span<const OpSample> ops, const hardware::Gpu& gpu, Calibration& calibration) {
  const Groups groups = group(ops, false);
  for (const auto& [shape, samples] : groups) {
    if (has_curve(shape, samples.size())) {
      const std::vector<const OpSample*> chosen = telling(with_neighbours(groups, shape, samples));
      calibration.curves.push_back(fit_curve(shape, chosen, gpu, calibration));
    }
  }
}

}  // namespace vggplan::timing
