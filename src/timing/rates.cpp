// SPDX-License-Identifier: MIT
// Seconds of one op from its class and size.
#include "timing/rates.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "vggplan/timing/step_time.hpp"

namespace vggplan::timing {
namespace {

/// The entry of `table` for `shape`, or the nearest one; nothing in an empty table.
template <class Entry>
const Entry* find(const std::vector<Entry>& table, const ShapeClass& shape) {
  const auto at = std::lower_bound(table.begin(), table.end(), shape,
                                   [](const Entry& entry, const ShapeClass& key) { return entry.shape < key; });
  if (at != table.end() && at->shape == shape) {
    return &*at;
  }
  const Entry* best = nullptr;
  double nearest = std::numeric_limits<double>::infinity();
  for (const Entry& entry : table) {
    const double d = distance(entry.shape, shape);
    if (d < nearest) {
      nearest = d;
      best = &entry;
    }
  }
  return best;
}

// Without any measurement of its kind an op runs at two thirds of the roofline, as large kernels do.
constexpr double kUnknownShare = 0.66;

}  // namespace

void sort_by_shape(Calibration& calibration) {
  const auto by_shape = [](const auto& a, const auto& b) { return a.shape < b.shape; };
  std::sort(calibration.streams.begin(), calibration.streams.end(), by_shape);
  std::sort(calibration.curves.begin(), calibration.curves.end(), by_shape);
}

double roofline_seconds(const Op& op, const hardware::Gpu& gpu) {
  const auto peak = hardware::peak_rate(gpu, op.math);
  const double work = peak && op.flops.count() > 0 ? op.flops.as_double() / peak->count() : 0.0;
  const double images = runs_images_side_by_side(op) ? static_cast<double>(op.extent.n) : 1.0;
  return std::max(work, op.bytes().as_double() / images / gpu.memory_bandwidth.count());
}

double share_at(const ShareCurve& curve, double octave) {
  const std::vector<double>& shares = curve.shares;
  const double x = (octave - curve.first_octave) / curve.octaves_per_node;
  if (shares.size() == 1 || x <= 0.0) {
    return shares.front();
  }
  if (x >= static_cast<double>(shares.size() - 1)) {
    return shares.back();
  }
  const auto i = static_cast<std::size_t>(x);
  const double f = x - static_cast<double>(i);
  return std::exp((1.0 - f) * std::log(shares[i]) + f * std::log(shares[i + 1]));
}

double cached_share(double touched, base::Bytes l2) {
  // Nothing is evicted below seven tenths of the cache, everything above its size: see
  // docs/how-time-is-modelled.md for the curves that this was read from.
  const double filled = touched / std::max(l2.as_double(), 1.0);
  return std::clamp((1.0 - filled) / 0.3, 0.0, 1.0);
}

base::Seconds op_seconds(const Op& op, const hardware::Gpu& gpu, const Calibration& calibration) {
  if (op.kind == OpKind::host_read) {
    return base::Seconds(0.0);
  }
  const ShapeClass shape = classify(op);
  if (is_streaming(op.kind)) {
    const StreamRate* rate = find(calibration.streams, shape);
    if (rate == nullptr) {
      return base::Seconds(roofline_seconds(op, gpu) / kUnknownShare);
    }
    const double bytes = op.bytes().as_double();
    const double cached = cached_share(footprint(op), calibration.l2_cache);
    const double kernels =
        op.kind == OpKind::optimizer && op.loop == OptimizerLoop::single ? static_cast<double>(op.kernels) : 1.0;
    return base::Seconds(kernels * rate->start_seconds + bytes * cached / rate->cached.count() +
                         bytes * (1.0 - cached) / rate->uncached.count());
  }
  const ShareCurve* curve = find(calibration.curves, shape);
  const double share =
      curve == nullptr || curve->shares.empty() ? kUnknownShare : share_at(*curve, std::log2(curve_size(op)));
  return base::Seconds(roofline_seconds(op, gpu) / share);
}

}  // namespace vggplan::timing
