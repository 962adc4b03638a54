// SPDX-License-Identifier: MIT
// Made-up measurements of single ops, from rates and shares that are known: the fit gives them back.
#include <cmath>
#include <random>

#include "timing/fit.hpp"
#include "timing/least_squares.hpp"
#include "timing/rates.hpp"
#include "timing/tiles.hpp"
#include "unit/timing/fixtures.hpp"

namespace vggplan::timing {
namespace {

StreamRate fitted_stream(const std::vector<OpSample>& samples) {
  Calibration found;
  found.l2_cache = base::Bytes(10'000'000);
  fit_streams(samples, found);
  REQUIRE(found.streams.size() == 1);
  return found.streams[0];
}

/// ReLU of n elements: 8 n bytes, of which 4 n are touched; the cache holds 10 MB, and keeps seven tenths of it.
OpSample relu_taking(std::int64_t n, double start, double cached, double uncached) {
  const double touched = 4.0 * static_cast<double>(n);
  const double kept = touched <= 7e6 ? 1.0 : touched >= 1e7 ? 0.0 : (1e7 - touched) / 3e6;
  return {relu(n), base::Seconds(start + 2.0 * touched * (kept / cached + (1.0 - kept) / uncached))};
}

std::vector<ShareCurve> fitted_curves(const std::vector<OpSample>& samples, Calibration calibration = {}) {
  fit_curves(samples, round_gpu(), calibration);
  return calibration.curves;
}

Op pool_of(std::int64_t pixels) {
  return make_op(OpKind::max_pool_forward, MathMode::fp32, DType::f32, Layout::nchw, {1, 64, 64, 2, pixels / 2});
}

Op conv_of(std::int64_t channels, std::int64_t pixels, const Filter& filter = {}, MathMode math = MathMode::tf32,
           Layout layout = Layout::nhwc) {
  Filter made = filter;
  if (filter != Filter{}) {
    made.out_height = 1;
    made.out_width = pixels;
  }
  return make_op(OpKind::conv_forward, math, DType::f32, layout, {1, channels, channels, 1, pixels}, made);
}

/// A sample that reaches `share` of the roofline.
OpSample reaching(const Op& op, double share) { return {op, base::Seconds(roofline_seconds(op, round_gpu()) / share)}; }

}  // namespace

TEST_CASE("the start and both rates of a stream are found where samples tell them apart") {
  std::mt19937 random(4);
  for (int round = 0; round < 20; ++round) {
    const double start = 1e-6 * (1.0 + static_cast<double>(random() % 9));
    const double cached = 1e11 * (5.0 + static_cast<double>(random() % 50));
    const double uncached = 1e11 * (1.0 + static_cast<double>(random() % 5));
    std::vector<OpSample> samples;
    for (std::int64_t n = 1000; n < 100'000'000; n = n * 13 / 10) {
      samples.push_back(relu_taking(n, start, cached, uncached));
    }
    samples.push_back({relu(77), base::Seconds(0.0)});  // no time was taken
    samples.push_back(reaching(pool_of(1024), 0.1));    // of another part
    const StreamRate rate = fitted_stream(samples);
    CHECK(rate.shape == classify(relu(1)));
    CHECK(rate.start_seconds == Approx(start).epsilon(1e-6));
    CHECK(rate.cached.count() == Approx(cached).epsilon(1e-6));
    CHECK(rate.uncached.count() == Approx(uncached).epsilon(1e-6));
  }
}

TEST_CASE("what samples of a stream do not tell follows from what they do") {
  const auto of = [](const std::vector<std::int64_t>& sizes, double start, double cached, double uncached) {
    std::vector<OpSample> samples;
    for (const std::int64_t n : sizes) {
      samples.push_back(relu_taking(n, start, cached, uncached));
    }
    return fitted_stream(samples);
  };
  // Small sizes alone, or large ones alone: one rate stands for both.
  const StreamRate small = of({1000, 100'000, 1'000'000}, 2e-6, 8e11, 1e11);
  CHECK(small.start_seconds == Approx(2e-6));
  CHECK(small.cached.count() == Approx(8e11));
  CHECK(small.uncached.count() == Approx(8e11));
  const StreamRate large = of({10'000'000, 50'000'000, 90'000'000}, 2e-5, 8e11, 1e11);
  CHECK(large.start_seconds == Approx(2e-5));
  CHECK(large.cached.count() == Approx(1e11));
  CHECK(large.uncached.count() == Approx(1e11));
  // One size does not tell a start from a rate.
  const StreamRate one = of({1000, 1000}, 2e-6, 8e11, 1e11);
  CHECK(one.start_seconds == 0.0);
  CHECK(one.cached.count() == Approx(8000 / (2e-6 + 8000 / 8e11)));
  // What takes as long whatever its size is all start.
  const StreamRate flat = of({1000, 100'000, 1'000'000}, 2e-6, 1e300, 1e300);
  CHECK(flat.start_seconds == Approx(2e-6));
  CHECK(flat.uncached.count() >= 1e15);
  CHECK(std::isfinite(flat.uncached.count()));
}

TEST_CASE("an optimizer in a loop starts a kernel for each tensor in its samples as well") {
  std::vector<OpSample> samples;
  for (const std::int64_t tensors : {3, 30, 300}) {
    for (const std::int64_t elements : {1'000'000, 100'000'000, 400'000'000}) {
      const Op op = make_optimizer(DType::f32, base::OptimizerImpl::loop, elements, tensors, {2, 2, 1});
      samples.push_back({op, base::Seconds(5e-6 * 2 * static_cast<double>(tensors) + op.bytes().as_double() / 3e11)});
    }
  }
  CHECK(fitted_stream(samples).start_seconds == Approx(5e-6));
  CHECK(fitted_stream(samples).uncached.count() == Approx(3e11));
}

TEST_CASE("turning is the median of what contiguous convolutions take longer than their twins, by size of element") {
  const auto sample = [](const Extent& extent, Layout layout, DType type, double seconds, bool zeros = false) {
    const MathMode math = type == DType::f32 ? MathMode::tf32 : type == DType::f16 ? MathMode::fp16 : MathMode::bf16;
    return OpSample{make_op(OpKind::conv_forward, math, type, layout, extent), base::Seconds(seconds), zeros};
  };
  // A twin in either layout, the contiguous one longer by a start of 3 us and by copies at a rate.
  const auto twins = [&](std::vector<OpSample>& samples, const Extent& extent, DType type, double rate, bool zeros) {
    samples.push_back(sample(extent, Layout::nhwc, type, 1e-3, zeros));
    OpSample turned = sample(extent, Layout::nchw, type, 1e-3, zeros);
    turned.seconds += base::Seconds(3e-6 + copies_of(turned.op).bytes / rate);
    samples.push_back(turned);
  };
  std::vector<OpSample> samples;
  for (const bool zeros : {false, true}) {
    for (std::int64_t side = 100; side <= 300; side += 50) {
      const double odd = side == 100 ? 5.0 : side == 150 ? 0.2 : 1.0;  // two are far off
      twins(samples, {4, 64, 128, side, side + (zeros ? 1 : 0)}, DType::f32, odd * 2e11, zeros);
      twins(samples, {4, 64, 128, side, side + (zeros ? 1 : 0)}, side == 200 ? DType::f16 : DType::bf16, odd * 6e11,
            zeros);
    }
  }
  for (int i = 0; i < 30; ++i) {                                                              // none of these tells
    twins(samples, {4, 63, 128, 200, 200 + i}, DType::f32, 1e10, false);                      // padded
    twins(samples, {4, 128, 63, 200, 200 + i}, DType::f32, 1e10, false);                      // padded
    twins(samples, {1, 64, 64, 8, 8 + i}, DType::f32, 1e11, false);                           // 17 us at most
    twins(samples, {4, 16, 128, 200, 200 + i}, DType::f32, 1e10, false);                      // few channels
    samples.push_back(sample({4, 64, 64, 99, 99 + i}, Layout::nchw, DType::f32, 1.0));        // no twin
    samples.push_back(sample({4, 64, 64, 98, 98 + i}, Layout::nchw, DType::f32, 1.0, true));  // nor one of zeros
    samples.push_back(sample({4, 64, 64, 98, 98 + i}, Layout::nhwc, DType::f32, 1e-3, false));
    for (const double seconds : {9e-3, 1e-3}) {  // one twice, the same layout
      samples.push_back(sample({4, 64, 64, 97, 97 + i}, Layout::nhwc, DType::f32, seconds));
    }
  }
  Calibration found;
  fit_streams(samples, found);
  REQUIRE(found.streams.size() == 2);
  CHECK(found.streams[0].shape == turning_of(DType::f16));
  CHECK(found.streams[0].uncached.count() == Approx(6e11));
  CHECK(found.streams[1].shape == turning_of(DType::f32));
  CHECK(found.streams[1].uncached.count() == Approx(2e11));
  CHECK(found.streams[1].cached.count() == Approx(2e11));
  CHECK(found.streams[1].start_seconds == 3e-6);
}

TEST_CASE("a curve gives back the shares that made its samples, with a node every two octaves from the smallest size") {
  const auto truth = [](double octave) { return std::exp2(-3.0 + 0.1 * octave + 0.02 * std::sin(octave)); };
  std::vector<OpSample> samples;
  for (double octave = 6.5; octave <= 17.0; octave += 0.125) {
    const Op op = pool_of(static_cast<std::int64_t>(std::exp2(octave)) / 2 * 2);
    samples.push_back(reaching(op, truth(std::log2(curve_size(op)))));
  }
  const std::vector<ShareCurve> curves = fitted_curves(samples);
  REQUIRE(curves.size() == 1);
  CHECK(curves[0].first_octave == 6.0);
  CHECK(curves[0].octaves_per_node == 2.0);
  CHECK(curves[0].shares.size() == 7);  // 6, 8, ... 18
  for (double octave = 6.5; octave <= 17.0; octave += 0.5) {
    CHECK(share_at(curves[0], octave) == Approx(truth(octave)).epsilon(0.01));
  }
  SECTION("of Linear layers every octave, over the images") {
    std::vector<OpSample> batches;
    for (std::int64_t n = 1; n <= 64; n *= 2) {
      const Op op = make_op(OpKind::linear_forward, MathMode::fp32, DType::f32, Layout::nchw, {n, 1000, 1000, 1, 1});
      batches.push_back(reaching(op, n <= 4 ? 0.2 : 0.4));
    }
    const std::vector<ShareCurve> found = fitted_curves(batches);
    REQUIRE(found.size() == 1);
    CHECK(found[0].first_octave == 0.0);
    CHECK(found[0].octaves_per_node == 1.0);
    CHECK(found[0].shares.size() == 7);
    CHECK(share_at(found[0], 0.0) == Approx(0.2).epsilon(0.05));
    CHECK(share_at(found[0], 6.0) == Approx(0.4).epsilon(0.05));
  }
}

TEST_CASE("a curve is raised to the mean of its samples, of which one that is far off counts as half as long again") {
  std::vector<OpSample> samples;
  std::mt19937 random(8);
  for (int i = 0; i < 60; ++i) {
    samples.push_back(reaching(pool_of(2 * (500 + 37 * i)), 0.5 * (0.9 + 0.003 * static_cast<double>(random() % 100))));
  }
  const auto mean_of = [&] {
    const ShareCurve curve = fitted_curves(samples).at(0);
    double sum = 0.0;
    for (const OpSample& sample : samples) {
      const double modelled =
          roofline_seconds(sample.op, round_gpu()) / share_at(curve, std::log2(curve_size(sample.op)));
      sum += sample.seconds.count() / modelled;
    }
    return sum / static_cast<double>(samples.size());
  };
  CHECK(mean_of() == Approx(1.0));
  const double before = fitted_curves(samples).at(0).shares.at(0);
  samples.push_back(reaching(pool_of(1480), 0.5 / 100.0));  // a hundred times as long
  const double after = fitted_curves(samples).at(0).shares.at(0);
  CHECK(before / after > 1.0);
  CHECK(before / after < 1.0 + 1.5 / 61 + 0.02);
}

TEST_CASE("samples of half zeros and of channels_last tell more than others, which stand in where there are none") {
  const auto share = [](const std::vector<OpSample>& samples) {
    const std::vector<ShareCurve> curves = fitted_curves(samples);
    REQUIRE(curves.size() == 1);
    return curves[0].shares.at(0);
  };
  std::vector<OpSample> samples{reaching(conv_of(256, 4096), 0.4)};
  CHECK(share(samples) == Approx(0.4));
  samples.push_back(reaching(conv_of(256, 4096), 0.6));
  samples.back().half_zero = true;
  CHECK(share(samples) == Approx(0.6));
  samples.push_back(reaching(conv_of(256, 4096, {}, MathMode::tf32, Layout::nchw), 0.1));
  samples.back().half_zero = true;
  CHECK(share(samples) == Approx(0.6));
  SECTION("of contiguous ones alone the copies are taken off, but for a tenth of the time") {
    const Op op = conv_of(256, 4096, {}, MathMode::tf32, Layout::nchw);
    const double copies = copy_seconds(op, round_gpu(), {});
    CHECK(share({{op, base::Seconds(copies + 1e-3)}}) == Approx(roofline_seconds(op, round_gpu()) / 1e-3));
    CHECK(share({{op, base::Seconds(copies)}}) == Approx(roofline_seconds(op, round_gpu()) / (0.1 * copies)));
  }
  SECTION("in true fp32 layouts are classes of their own") {
    const auto plain = [](Layout layout) { return reaching(conv_of(256, 4096, {}, MathMode::fp32, layout), 0.3); };
    CHECK(fitted_curves({plain(Layout::nchw), plain(Layout::nhwc)}).size() == 2);
  }
}

TEST_CASE("which classes have curves: full tiles, and what cuDNN switches by from four samples on") {
  const auto has = [](const Op& op, std::size_t samples = 1) {
    return !fitted_curves(std::vector<OpSample>(samples, reaching(op, 0.5))).empty();
  };
  const auto of = [](OpKind kind, MathMode math, const Extent& extent) {
    return make_op(kind, math, DType::f32, Layout::nhwc, extent);
  };
  using enum OpKind;
  CHECK(has(of(conv_forward, MathMode::tf32, {1, 64, 128, 8, 8})));
  CHECK_FALSE(has(of(conv_forward, MathMode::tf32, {1, 96, 128, 8, 8}), 9));
  CHECK_FALSE(has(of(conv_forward, MathMode::tf32, {1, 128, 96, 8, 8}), 9));
  CHECK(has(of(conv_forward, MathMode::fp32, {1, 96, 96, 8, 8})));
  CHECK(has(of(conv_forward, MathMode::tf32, {1, 3, 96, 200, 200})));
  CHECK_FALSE(has(of(conv_forward, MathMode::tf32, {1, 3, 96, 8, 8}), 3));  // of small maps
  CHECK(has(of(conv_forward, MathMode::tf32, {1, 3, 96, 8, 8}), 4));
  CHECK(has(of(conv_forward, MathMode::tf32, {1, 3, 64, 6000, 8000})));  // above 2^31
  CHECK(has(of(bias_grad, MathMode::fp32, {4, 96, 96, 1, 1})));          // one pixel
  CHECK_FALSE(has(relu(1000)));
}

TEST_CASE("few convolutions of other filters are joined by those of half and twice the channels, and stay among them") {
  const Filter five{5, 5, 1, 1, 1};
  const auto some = [&](std::int64_t channels, double share, std::size_t count) {
    std::vector<OpSample> samples;
    for (std::size_t i = 0; i < count; ++i) {
      samples.push_back(reaching(conv_of(channels, 100 + 200 * static_cast<std::int64_t>(i), five), share));
    }
    return samples;
  };
  // Of 64 channels so many at a share of 0.2, and ten of each of the others.
  using Others = std::vector<std::pair<std::int64_t, double>>;
  const auto share_of_64 = [&](std::size_t count, const Others& others) {
    std::vector<OpSample> samples = some(64, 0.2, count);
    for (const auto& [channels, share] : others) {
      const std::vector<OpSample> more = some(channels, share, 10);
      samples.insert(samples.end(), more.begin(), more.end());
    }
    for (const ShareCurve& curve : fitted_curves(samples)) {
      if (curve.shape.channels == 64) {
        return share_at(curve, std::log2(curve_size(conv_of(64, 500, five))));
      }
    }
    return 0.0;
  };
  const Others all{{16, 0.9}, {32, 0.4}, {128, 0.4}, {256, 0.9}};
  CHECK(share_of_64(8, all) == Approx(0.2));
  CHECK(share_of_64(7, all) > 0.21);
  CHECK(share_of_64(7, all) < 0.4);
  CHECK(share_of_64(1, {{32, 0.4}}) > 0.3);
  CHECK(share_of_64(1, {{128, 0.4}}) > 0.3);
  CHECK(share_of_64(1, all) < 0.41);
  CHECK(share_of_64(1, {{16, 0.9}, {256, 0.9}}) == Approx(0.2));
  SECTION("of groups, which are one class whatever their channels, none join") {
    std::vector<OpSample> samples;
    std::vector<double> x;
    std::vector<double> y;
    for (const auto& [pixels, share] : {std::pair{100, 0.2}, std::pair{500, 0.3}, std::pair{3000, 0.2}}) {
      const Op op = conv_of(64, pixels, {5, 5, 1, 1, 2});
      samples.push_back(reaching(op, share));
      x.push_back(std::log2(curve_size(op)));
      y.push_back(std::log(share));
    }
    const double first = std::floor(x.front());
    for (double& octave : x) {
      octave = (octave - first) / 2.0;
    }
    const ShareCurve curve = fitted_curves(samples).at(0);
    const std::vector<double> heights = fit_nodes(x, y, curve.shares.size());
    const auto share = [&](std::size_t node) { return std::clamp(std::exp(heights.at(node)), 0.2, 0.3); };
    CHECK(curve.shares.at(1) / curve.shares.at(0) == Approx(share(1) / share(0)));
  }
  SECTION("no node lies beyond all samples") {
    std::vector<OpSample> rising;
    for (std::int64_t pixels = 100; pixels < 40'000; pixels = pixels * 5 / 4) {
      const Op op = conv_of(64, pixels, five);
      rising.push_back(reaching(op, 0.01 * std::pow(static_cast<double>(pixels), 0.4)));
    }
    const ShareCurve curve = fitted_curves(rising).at(0);
    const double pixels = static_cast<double>(rising.back().op.extent.w) / 100.0;
    CHECK(curve.shares.back() / curve.shares.front() == Approx(std::pow(pixels, 0.4)));
    CHECK(share_at(curve, std::log2(curve_size(conv_of(64, 2000, five)))) ==
          Approx(0.01 * std::pow(2000.0, 0.4)).epsilon(0.03));
  }
}

}  // namespace vggplan::timing
