// SPDX-License-Identifier: MIT
// Seconds of one op from its class and size.
#include "timing/rates.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <span>

#include "timing/kernel_work.hpp"
#include "timing/tiles.hpp"

namespace vggplan::timing {
namespace {

/// Of `kind`, by which tables are sorted first, the entry of `table` that `far` calls nearest; nothing where there is
/// none.
template <class Entry, class Far>
const Entry* nearest(const std::vector<Entry>& table, OpKind kind, const Far& far) {
  const Entry* best = nullptr;
  double least = std::numeric_limits<double>::infinity();
  const auto below = [](const Entry& entry, OpKind sought) { return entry.shape.kind < sought; };
  auto entry = std::lower_bound(table.begin(), table.end(), kind, below);
  for (; entry != table.end() && entry->shape.kind == kind; ++entry) {
    const double d = far(*entry);
    if (d < least) {
      least = d;
      best = &*entry;
    }
  }
  return best;
}

const StreamRate* nearest_rate(const Calibration& calibration, const ShapeClass& shape) {
  return nearest(calibration.streams, shape.kind, [&](const StreamRate& rate) { return distance(rate.shape, shape); });
}

double last_octave(const ShareCurve& curve) {
  return curve.first_octave + curve.octaves_per_node * static_cast<double>(curve.shares.size() - 1);
}

/// A curve that ends far below the size tells less of it than one of other channels that goes on.
const ShareCurve* nearest_curve(const Calibration& calibration, const ShapeClass& shape, double octave) {
  constexpr double kPerOctave = 0.5;
  return nearest(calibration.curves, shape.kind, [&](const ShareCurve& curve) {
    return distance(curve.shape, shape) + kPerOctave * std::max(0.0, octave - last_octave(curve));
  });
}

/// Curves of convolutions that differ in channels alone.
using Widths = std::span<const ShareCurve>;

Widths widths_of(const std::vector<ShareCurve>& curves, ShapeClass shape) {
  const auto below = [](const ShareCurve& curve, const ShapeClass& key) { return curve.shape < key; };
  shape.channels = shape.outputs = 0;
  const auto first = std::lower_bound(curves.begin(), curves.end(), shape, below);
  const auto last = std::find_if(first, curves.end(), [&](const ShareCurve& curve) {
    return curve.shape.kind != shape.kind || curve.shape.math != shape.math;
  });
  return Widths(first, last);
}

/// A measured curve and how far along it the wanted width lies.
struct Neighbours {
  const ShareCurve* below{};
  const ShareCurve* above{};
};

/// The next measured widths of as many channels in as out.
Neighbours neighbours_of(Widths widths, std::int64_t width) {
  Neighbours found;
  for (const ShareCurve& curve : widths) {
    const std::int64_t channels = curve.shape.channels;
    if (channels != curve.shape.outputs || !runs_in_tiles(curve.shape)) {
      continue;
    }
    if (channels <= width && (found.below == nullptr || channels > found.below->shape.channels)) {
      found.below = &curve;
    }
    if (channels >= width && (found.above == nullptr || channels < found.above->shape.channels)) {
      found.above = &curve;
    }
  }
  return found;
}

/// Below its smallest size a kernel leaves SMs idle: the share falls, if less than the size does.
double log_share(const ShareCurve& curve, double octave) {
  const double missing = std::max(0.0, curve.first_octave - octave);
  return std::log(share_at(curve, octave)) - 0.5 * std::log(2.0) * missing;
}

/// Logarithm of the share of a convolution of `width` channels in and out; nothing where none was measured.
std::optional<double> width_share(Widths widths, std::int64_t width, double octave) {
  const auto [below, above] = neighbours_of(widths, width);
  if (below == nullptr || above == nullptr || below == above) {
    const ShareCurve* only = below == nullptr ? above : below;
    return only == nullptr ? std::nullopt : std::optional(log_share(*only, octave));
  }
  const double low = std::log2(static_cast<double>(below->shape.channels));
  const double f =
      (std::log2(static_cast<double>(width)) - low) / (std::log2(static_cast<double>(above->shape.channels)) - low);
  return (1.0 - f) * log_share(*below, octave) + f * log_share(*above, octave);
}

/// Channels that were not measured together do as their widths do: the mean of the logarithms of the shares that a
/// convolution of either width reaches.
std::optional<double> share_between_widths(const Calibration& calibration, const ShapeClass& shape, double octave) {
  if (!runs_in_tiles(shape)) {
    return std::nullopt;
  }
  const Widths widths = widths_of(calibration.curves, shape);
  double sum = 0.0;
  for (const std::int64_t width : {shape.channels, shape.outputs}) {
    const auto share = width_share(widths, width, octave);
    if (!share) {
      return std::nullopt;
    }
    sum += 0.5 * *share;
  }
  return std::exp(sum);
}

// Without any measurement of its kind an op runs at two thirds of the roofline, as large kernels do.
constexpr double kUnknownShare = 0.66;

}  // namespace

ShapeClass turning_of(base::DType type) {
  ShapeClass shape;
  shape.kind = OpKind::copy;
  shape.element_bytes = base::size_of(type);
  shape.variant = Variant::turned;
  return shape;
}

void sort_by_shape(Calibration& calibration) {
  const auto by_shape = [](const auto& a, const auto& b) { return a.shape < b.shape; };
  std::sort(calibration.streams.begin(), calibration.streams.end(), by_shape);
  std::sort(calibration.curves.begin(), calibration.curves.end(), by_shape);
}

double roofline_seconds(const Op& op, const hardware::Gpu& gpu) {
  const ShapeClass shape = classify(op);
  const Product product = runs_in_tiles(shape) || has_other_filter(shape)
                              ? product_of(op)
                              : Product{op.flops.as_double(), kernel_bytes(op)};
  const auto peak = hardware::peak_rate(gpu, op.math);
  const double work = peak ? product.flops / peak->count() : 0.0;
  const double images = runs_images_side_by_side(op) ? images_side_by_side(op) : 1.0;
  return std::max(work, product.bytes / images / gpu.memory_bandwidth.count());
}

double copy_seconds(const Op& op, const hardware::Gpu& gpu, const Calibration& calibration) {
  const ShapeClass shape = classify(op);
  // 1x1 convolutions take maps as they lie, and groups have kernels for either layout.
  const bool copied =
      runs_in_tiles(shape) || (has_other_filter(shape) && op.filter.groups == 1 && op.filter.taps() > 1);
  if (!copied || hardware::arithmetic(gpu, op.math) == base::MathMode::fp32) {
    return 0.0;
  }
  const Copies copies = copies_of(op);
  const StreamRate* rate = nearest_rate(calibration, turning_of(op.type));
  return rate == nullptr ? copies.bytes / (kUnknownShare * gpu.memory_bandwidth.count())
                         : copies.starts * rate->start_seconds + copies.bytes / rate->uncached.count();
}

double share_at(const ShareCurve& curve, double octave) {
  const std::vector<double>& shares = curve.shares;
  const double x = (octave - curve.first_octave) / curve.octaves_per_node;
  if (x <= 0.0) {
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

namespace {

/// Linear layers are measured up to 256 images. Beyond, a product in true fp32 nears what large ones reach, by half of
/// the way an octave; in 16 bits it is there by then.
double grown(double share, double octaves_beyond) {
  constexpr double kLargeProduct = 0.75;
  return octaves_beyond <= 0.0 || share >= kLargeProduct
             ? share
             : kLargeProduct - (kLargeProduct - share) * std::exp2(-octaves_beyond);
}

OpTime streamed(const Op& op, const ShapeClass& shape, const hardware::Gpu& gpu, const Calibration& calibration) {
  const StreamRate* exact = find_exactly(calibration.streams, shape);
  const StreamRate* rate = exact == nullptr ? nearest_rate(calibration, shape) : exact;
  if (rate == nullptr) {
    return {roofline_seconds(op, gpu) / kUnknownShare, false};
  }
  const double bytes = op.bytes().as_double();
  const double cached = cached_share(footprint(op), calibration.l2_cache);
  const double kernels =
      op.kind == OpKind::optimizer && op.impl == base::OptimizerImpl::loop ? static_cast<double>(op.kernels) : 1.0;
  return {kernels * rate->start_seconds + bytes * cached / rate->cached.count() +
              bytes * (1.0 - cached) / rate->uncached.count(),
          exact != nullptr};
}

}  // namespace

namespace {

/// Beyond 2^31 weights cuBLAS leaves its fast kernels for true fp32 in the forward of one image, for one that goes
/// through the weights at this pace (tests/data/measurements/huge_products.jsonl, H200). Backward and 16 bits are as
/// fast as ever. Two to four images were up to four times slower than modelled, at 2^31 weights and just below: one
/// layer was measured, and it is left so.
constexpr double kSecondsPerWeight = 47e-12;

bool leaves_fast_kernels(const Op& op) {
  return op.kind == OpKind::linear_forward && op.type == base::DType::f32 && op.extent.n == 1 &&
         op.extent.c * op.extent.k > base::kLargestInt32;
}

/// Of an image, whose channels are few: it was measured in no layout that VGG's widths tell of, and takes about what
/// forward takes (a perceptual loss on images of 1024x1024: 1.4 ms against 1.7).
bool is_image_gradient(const Op& op) {
  constexpr std::int64_t kChannels = 4;
  return op.kind == OpKind::conv_input_grad && op.math != base::MathMode::fp32 && op.extent.c <= kChannels;
}

/// Whether the class tells little of the op: its channels are padded to those of the class, or are few on both sides,
/// where cuDNN switches between kernels by rules that were not found.
bool is_guess(const Op& op, const ShapeClass& shape) {
  constexpr std::int64_t kFewOnBothSides = 32;
  if (has_other_filter(shape)) {
    return op.filter.groups > 1;  // few were measured, and cuDNN has kernels of many kinds for them
  }
  if (runs_in_tiles(shape)) {
    return shape.channels != op.extent.c || shape.outputs != op.extent.k;
  }
  return is_convolution(op.kind) && std::max(op.extent.c, op.extent.k) <= kFewOnBothSides;
}

}  // namespace

OpTime op_time(const Op& op, const hardware::Gpu& gpu, const Calibration& calibration) {
  if (leaves_fast_kernels(op)) {
    return {static_cast<double>(op.extent.c * op.extent.k) * kSecondsPerWeight, true};
  }
  if (op.kind == OpKind::host_read || op.kind == OpKind::checkpoint || op.kind == OpKind::compiled_call) {
    return {0.0, true};
  }
  if (is_image_gradient(op)) {
    Op forward = op;
    forward.kind = OpKind::conv_forward;
    return {op_time(forward, gpu, calibration).seconds, false};
  }
  const ShapeClass shape = classify(op);
  if (is_streaming(op.kind)) {
    return streamed(op, shape, gpu, calibration);
  }
  const double octave = std::log2(curve_size(op));
  const ShareCurve* exact = find_exactly(calibration.curves, shape);
  if (exact == nullptr) {
    if (const auto between = share_between_widths(calibration, shape, octave)) {
      return {copy_seconds(op, gpu, calibration) + roofline_seconds(op, gpu) / *between, false};
    }
  }
  const ShareCurve* curve =
      is_convolution(op.kind) && exact != nullptr ? exact : nearest_curve(calibration, shape, octave);
  double share = curve == nullptr ? kUnknownShare : share_at(*curve, octave);
  if (curve != nullptr && is_linear(op.kind) && shape.element_bytes == 4) {
    share = grown(share, octave - last_octave(*curve));
  }
  return {copy_seconds(op, gpu, calibration) + roofline_seconds(op, gpu) / share,
          exact != nullptr && curve == exact && !is_guess(op, shape)};
}

std::vector<OpTime> op_times(std::span<const Op> ops, const hardware::Gpu& gpu, const Calibration& calibration) {
  std::vector<OpTime> times;
  times.reserve(ops.size());
  for (const Op& op : ops) {
    times.push_back(op_time(op, gpu, calibration));
  }
  return times;
}

base::Seconds op_seconds(const Op& op, const hardware::Gpu& gpu, const Calibration& calibration) {
  return base::Seconds(op_time(op, gpu, calibration).seconds);
}

}  // namespace vggplan::timing
