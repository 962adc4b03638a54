// SPDX-License-Identifier: MIT
#include "vggplan/timing/carry_over.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "timing/rates.hpp"

namespace vggplan::timing {
namespace {

/// How convolutions of an architecture do, at equal shares of the data sheet: those of tensor cores against Hopper's,
/// fp32 ones in FLOPs of the direct algorithm against the fp32 peak (Winograd needs 2.25 times fewer). Set so that
/// those rows of tests/data/published that say `fitted` lie around the model, by the sources named; tests/accuracy
/// prints and bounds how far they and those that were held out do. Where there is no row, or no such cores, 1.
struct Family {
  std::string_view architecture{};
  double tensor{};
  double winograd{};
};
constexpr std::array<Family, 8> kFamilies{{
    {"Kepler", 1.0, 0.85},    // K80 (profet)
    {"Maxwell", 1.0, 1.2},    // no row: between its neighbours
    {"Pascal", 1.0, 1.45},    // GTX 1080 Ti (four sources), TITAN X (cnn-benchmarks), P100 (TensorFlow's page)
    {"Volta", 0.61, 1.93},    // TITAN V (pytorch-gpu-benchmark), V100 (Lambda, profet)
    {"Turing", 0.55, 1.42},   // RTX 2080 Ti (three sources), TITAN RTX (pytorch-gpu-benchmark), T4 (profet)
    {"Ampere", 0.925, 1.0},   // RTX 3090 (timm, pytorch-gpu-benchmark), A100 40 GB (pytorch-gpu-benchmark)
    {"Ada", 0.84, 1.0},       // RTX 4090 (timm)
    {"Blackwell", 1.0, 1.0},  // no row
}};

Family family_of(const hardware::Gpu& gpu) {
  const auto* at = std::find_if(kFamilies.begin(), kFamilies.end(), [&](const Family& family) {
    return gpu.architecture.find(family.architecture) != std::string::npos;
  });
  return at == kFamilies.end() ? Family{"", 1.0, 1.0} : *at;
}

/// Whether tensor cores of `gpu` take `math`.
bool has_tensor_cores(const hardware::Gpu& gpu, base::MathMode math) {
  switch (math) {
    case base::MathMode::fp32: return false;
    case base::MathMode::tf32: return gpu.tf32_tensor.has_value();
    case base::MathMode::fp16: return gpu.fp16_tensor.has_value();
    case base::MathMode::bf16: return gpu.bf16_tensor.has_value();
  }
  return false;
}

/// Bytes of memory traffic for each FLOP of the fastest training arithmetic, all by the data sheet.
double balance(const hardware::Gpu& gpu) {
  double fastest = 0;
  for (const base::MathMode math :
       {base::MathMode::fp32, base::MathMode::tf32, base::MathMode::fp16, base::MathMode::bf16}) {
    const auto rate = hardware::peak_rate(gpu, math);
    fastest = std::max(fastest, rate ? rate->count() : 0.0);
  }
  return gpu.memory_bandwidth.count() / fastest;
}

class Carrier {
 public:
  Carrier(const Calibration& measured, const hardware::Gpu& from, const hardware::Gpu& to)
      : measured_(measured), from_(from), to_(to), family_(family_of(to)) {
    instructions_ = static_cast<double>(to.sm_count) * to.boost_clock_mhz /
                    (static_cast<double>(from.sm_count) * from.boost_clock_mhz);
    bandwidth_ = to.memory_bandwidth.count() / from.memory_bandwidth.count();
  }

  [[nodiscard]] StreamRate carried(StreamRate rate) const {
    const double cached = rate.cached.count() * instructions_;
    const double uncached = streamed(rate.uncached.count());
    rate.cached = base::BytesPerSecond(std::max(cached, uncached));
    rate.uncached = base::BytesPerSecond(uncached);
    return rate;
  }

  [[nodiscard]] ShareCurve carried(const ShareCurve& curve) const {
    if (is_convolution(curve.shape.kind)) {
      return has_tensor_cores(to_, curve.shape.math)
                 ? (has_few_channels(curve.shape) ? streaming(curve) : tensor(curve))
             : has_other_filter(curve.shape) ? curve
                                             : winograd(curve);
    }
    return is_linear(curve.shape.kind) ? curve : streaming(curve);
  }

 private:
  /// The same work for each SM.
  [[nodiscard]] double moved(double octave) const {
    return std::max(0.0, octave + std::log2(static_cast<double>(to_.sm_count) / static_cast<double>(from_.sm_count)));
  }

  /// Bytes per second of a kernel that streams: what instructions bound follows them until memory bounds it.
  [[nodiscard]] double streamed(double rate) const {
    constexpr double kDramShare = 0.88;  // of the data sheet that streaming kernels reach, on H200 as on A100
    return std::max(rate * bandwidth_, std::min(rate * instructions_, kDramShare * to_.memory_bandwidth.count()));
  }

  /// First layers do little with each element: their roofline is that of memory.
  [[nodiscard]] static bool has_few_channels(const ShapeClass& shape) {
    constexpr std::int64_t kFew = 16;
    return std::min(shape.channels, shape.outputs) <= kFew && !has_other_filter(shape);
  }

  /// Multiprocessors that work, times clock, against those of the measured GPU. Batch norm of contiguous maps gives
  /// each channel to one of them: on an H200, of 132, its backward takes 22 ps an element of 64 channels and 12 of 128
  /// (tests/data/measurements/operations.jsonl). With fewer of them none is lost.
  [[nodiscard]] double instructions_for(const ShapeClass& shape) const {
    const bool by_channel = (shape.kind == OpKind::batch_norm_forward || shape.kind == OpKind::batch_norm_backward) &&
                            shape.layout == base::Layout::nchw && shape.channels > 0;
    const auto working = [&](const hardware::Gpu& gpu) {
      return static_cast<double>(std::min(shape.channels, gpu.sm_count)) * gpu.boost_clock_mhz;
    };
    return by_channel ? working(to_) / working(from_) : instructions_;
  }

  /// What instructions bound on a GPU with much bandwidth, memory may bound on one with little.
  [[nodiscard]] ShareCurve streaming(const ShareCurve& curve) const {
    constexpr double kMost = 0.88;
    ShareCurve scaled = curve;
    for (double& share : scaled.shares) {
      share = std::max(std::min(share, kMost), std::min(kMost, share * instructions_for(curve.shape) / bandwidth_));
    }
    scaled.first_octave = moved(curve.first_octave);
    return scaled;
  }

  /// Products follow the tensor cores.
  [[nodiscard]] ShareCurve tensor(const ShareCurve& curve) const {
    ShapeClass other = curve.shape;
    other.kind = OpKind::conv_input_grad;
    const ShareCurve* transposed = transposes_slowly(curve.shape) ? find_exactly(measured_.curves, other) : nullptr;
    const double speed_up = family_.tensor * reach(curve.shape.math);
    ShareCurve scaled = curve;
    scaled.first_octave = moved(curve.first_octave);
    for (std::size_t i = 0; i < scaled.shares.size(); ++i) {
      const double octave = curve.first_octave + curve.octaves_per_node * static_cast<double>(i);
      const double share = curve.shares[i];
      scaled.shares[i] = speed_up * (transposed == nullptr ? share : std::max(share, share_at(*transposed, octave)));
    }
    return scaled;
  }

  /// Hopper's matrix instructions take 32-bit operands in one order only (PTX ISA, wgmma: transposition is for 16-bit
  /// types), which is not that of a weight gradient: its kernels reach half of what those of the input gradient do.
  /// No other generation is bound so: there it is as fast as the input gradient of the same channels.
  [[nodiscard]] bool transposes_slowly(const ShapeClass& shape) const {
    const auto hopper = [](const hardware::Gpu& gpu) {
      return hardware::capability_number(gpu.compute_capability) / 10 == 9;
    };
    return shape.kind == OpKind::conv_weight_grad && shape.math == base::MathMode::tf32 && hopper(from_) &&
           !hopper(to_);
  }

  /// Tensor cores that do less in a cycle of their SM are easier to feed, and are kept busy better than Hopper's.
  /// Memory bandwidth has no part in it: an H100, with 0.7 times that of an H200 and the same SMs, is as fast in
  /// products of 256 channels and more (tests/data/measurements/h100_operations.jsonl against convolutions.jsonl: 0.9
  /// to 1.0 times the time). The power lies between what an A100 and an RTX 3090 of the rows that say `fitted` ask for.
  [[nodiscard]] double reach(base::MathMode math) const {
    constexpr double kPower = 0.25;
    const auto there = hardware::peak_rate(to_, math);
    const auto here = hardware::peak_rate(from_, math);
    return there && here ? std::pow(instructions_ * here->count() / there->count(), kPower) : 1.0;
  }

  /// Winograd transforms tiles of every channel: few channels gain nothing. Small maps fill the SMs as they do with
  /// tensor cores, so the measured curve, taken against its own best, gives the way there: for GPUs before TF32 that of
  /// TF32, since in true fp32 Hopper's cuDNN falls back to kernels tens of times slower at some sizes.
  [[nodiscard]] ShareCurve winograd(const ShareCurve& curve) const {
    ShapeClass in_tf32 = curve.shape;
    in_tf32.math = base::MathMode::tf32;
    if (runs_in_tiles(in_tf32)) {
      in_tf32.layout = base::Layout::nhwc;
    }
    const ShareCurve* other = to_.tf32_tensor ? nullptr : find_exactly(measured_.curves, in_tf32);
    const ShareCurve& way = other == nullptr ? curve : *other;
    constexpr std::int64_t kFewChannels = 16;
    const bool few = std::min(curve.shape.channels, curve.shape.outputs) < kFewChannels;
    constexpr double kFewShare = 0.5;
    ShareCurve scaled = way;
    scaled.shape = curve.shape;
    scaled.first_octave = moved(way.first_octave);
    const double best = *std::max_element(way.shares.begin(), way.shares.end());
    // Forward passes gain more: cuDNN has more Winograd kernels for them.
    const double pass = curve.shape.kind == OpKind::conv_forward ? 1.2 : 0.95;
    for (double& share : scaled.shares) {
      share = (few ? kFewShare : pass * family_.winograd) * share / best;
    }
    return scaled;
  }

  const Calibration& measured_;
  const hardware::Gpu& from_;
  const hardware::Gpu& to_;
  Family family_;
  double instructions_{};
  double bandwidth_{};
};

}  // namespace

std::size_t most_alike(std::span<const hardware::Gpu> measured, const hardware::Gpu& gpu) {
  const auto distance = [&](const hardware::Gpu& other) { return std::abs(std::log(balance(other) / balance(gpu))); };
  const auto nearest = std::min_element(measured.begin(), measured.end(),
                                        [&](const auto& a, const auto& b) { return distance(a) < distance(b); });
  return static_cast<std::size_t>(nearest - measured.begin());
}

void mark_unmeasured(Calibration& calibration) {
  calibration.basis = base::Basis::modelled;
  calibration.spread = {0.75, 1.35};
  calibration.spread_fp32 = {0.6, 1.6};
  calibration.spread_host = {0.6, 1.6};
}

Calibration carry_over(const Calibration& measured, const hardware::Gpu& from, const hardware::Gpu& to) {
  const Carrier carrier(measured, from, to);
  Calibration carried = measured;
  carried.gpu = to.name;
  carried.carried_from = measured.gpu;
  mark_unmeasured(carried);
  carried.l2_cache = to.l2_cache;
  for (StreamRate& rate : carried.streams) {
    rate = carrier.carried(rate);
  }
  for (ShareCurve& curve : carried.curves) {
    curve = carrier.carried(curve);
  }
  return carried;
}

}  // namespace vggplan::timing
