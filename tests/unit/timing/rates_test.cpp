// SPDX-License-Identifier: MIT
// Which curve or rate an op is given, and the seconds that follow.
#include "timing/rates.hpp"

#include <cmath>
#include <map>
#include <random>

#include "timing/kernel_work.hpp"
#include "timing/tiles.hpp"
#include "unit/timing/fixtures.hpp"

namespace vggplan::timing {
namespace {

constexpr double kUnknown = 0.66;  // of the roofline that what nobody measured is said to reach

double share_of(const Op& op, const Calibration& calibration) {
  const double seconds = op_seconds(op, round_gpu(), calibration).count();
  return roofline_seconds(op, round_gpu()) / (seconds - copy_seconds(op, round_gpu(), calibration));
}

Calibration with_curves(std::vector<ShareCurve> curves) {
  Calibration calibration;
  calibration.curves = std::move(curves);
  sort_by_shape(calibration);
  return calibration;
}

Op bias_sum(std::int64_t channels, std::int64_t pixels, DType type = DType::f32) {
  return make_op(OpKind::bias_grad, MathMode::fp32, type, Layout::nchw, {2, channels, channels, 1, pixels});
}

Op tf32(std::int64_t in, std::int64_t out, std::int64_t pixels, OpKind kind = OpKind::conv_forward) {
  return make_op(kind, MathMode::tf32, DType::f32, Layout::nhwc, {1, in, out, 1, pixels});
}

}  // namespace

TEST_CASE("a curve is straight between its nodes over the logarithms of both, and flat beyond them") {
  const ShareCurve curve{{}, 5.0, 3.0, {0.1, 0.4, 0.2, 0.2}};
  for (double f = 0.0; f <= 1.0; f += 0.25) {
    CHECK(share_at(curve, 5.0 + 3.0 * f) == Approx(0.1 * std::pow(4.0, f)));
    CHECK(share_at(curve, 8.0 + 3.0 * f) == Approx(0.4 * std::pow(0.5, f)));
    CHECK(share_at(curve, 11.0 + 3.0 * f) == Approx(0.2));
    CHECK(share_at(curve, 5.0 - 9.0 * f) == Approx(0.1));
    CHECK(share_at(curve, 14.0 + 9.0 * f) == Approx(0.2));
    CHECK(share_at({{}, 5.0, 3.0, {0.3}}, -7.0 + 40.0 * f) == 0.3);
  }
}

TEST_CASE("the cache serves all up to seven tenths of it, nothing from all of it on, and less in between") {
  const base::Bytes l2(1'000'000);
  for (double touched = 0.0; touched <= 2e6; touched += 1e4) {
    const double expected = touched <= 7e5 ? 1.0 : touched >= 1e6 ? 0.0 : (1e6 - touched) / 3e5;
    CHECK(cached_share(touched, l2) == Approx(expected).margin(1e-9));
  }
  CHECK(cached_share(1.0, base::Bytes(0)) == 0.0);
  CHECK(cached_share(0.0, base::Bytes(0)) == 1.0);
}

TEST_CASE("a class that was not measured is given the rate of the nearest of its kind, the first of those as near") {
  Calibration calibration;
  std::vector<Op> known;
  for (const OpKind kind : {OpKind::copy, OpKind::relu_forward, OpKind::add, OpKind::concatenate, OpKind::slice_copy}) {
    for (const DType type : {DType::f32, DType::bf16, DType::u8}) {
      known.push_back(make_op(kind, MathMode::fp32, type, Layout::nchw, {1'000'000'000, 1, 1, 1, 1}));
      const double rate = 1e10 * static_cast<double>(known.size());
      calibration.streams.push_back(
          {classify(known.back()), 1e-6, base::BytesPerSecond(2 * rate), base::BytesPerSecond(rate)});
    }
  }
  sort_by_shape(calibration);
  const auto rate_of = [&](const Op& op) {
    return op.bytes().as_double() / (op_time(op, round_gpu(), calibration).seconds - 1e-6) / 1e10;
  };
  for (std::size_t i = 0; i < known.size(); ++i) {
    CHECK(rate_of(known[i]) == Approx(static_cast<double>(i + 1)));
    CHECK(op_time(known[i], round_gpu(), calibration).measured);
    // In the other layout the same rate, as what was measured where the layout makes no difference.
    Op turned = known[i];
    turned.layout = Layout::nhwc;
    const bool streams_alike = i < 9;
    CHECK(rate_of(turned) == Approx(static_cast<double>(i + 1)));
    CHECK(op_time(turned, round_gpu(), calibration).measured == streams_alike);
    // No type of eight bytes is known: all are as far away, and bytes come first.
    const Op wide = make_op(known[i].kind, MathMode::fp32, DType::i64, Layout::nchw, known[i].extent);
    CHECK(rate_of(wide) == Approx(static_cast<double>(i / 3 * 3 + 3)));
    CHECK_FALSE(op_time(wide, round_gpu(), calibration).measured);
  }
  SECTION("and a kind that nobody measured two thirds of the roofline") {
    const Op other = make_op(OpKind::gelu_forward, MathMode::fp32, DType::f32, Layout::nchw, {1'000'000, 1, 1, 1, 1});
    CHECK(op_time(other, round_gpu(), calibration).seconds == Approx(8e6 / 1e12 / kUnknown));
    CHECK_FALSE(op_time(other, round_gpu(), calibration).measured);
    CHECK(share_of(bias_sum(64, 1000), calibration) == Approx(kUnknown));
    CHECK(share_of(tf32(64, 64, 1000), calibration) == Approx(kUnknown));
  }
}

TEST_CASE("an optimizer in a loop starts a kernel for each tensor, others count one start") {
  Calibration calibration;
  for (const base::OptimizerImpl impl : {base::OptimizerImpl::foreach, base::OptimizerImpl::loop}) {
    calibration.streams.push_back({classify(make_optimizer(DType::f32, impl, 1000, 5, {3, 2, 1})), 1e-3,
                                   base::BytesPerSecond(1e12), base::BytesPerSecond(1e12)});
  }
  sort_by_shape(calibration);
  const auto seconds = [&](base::OptimizerImpl impl) {
    return op_seconds(make_optimizer(DType::f32, impl, 100'000'000, 5, {3, 2, 1}), round_gpu(), calibration).count();
  };
  CHECK(seconds(base::OptimizerImpl::foreach) == Approx(1e-3 + 1.2e-3));
  CHECK(seconds(base::OptimizerImpl::loop) == Approx(15e-3 + 1.2e-3));
  Op odd = relu(1000);
  odd.impl = base::OptimizerImpl::loop;
  odd.kernels = 9;
  CHECK(op_seconds(odd, round_gpu(), round_calibration()).count() == Approx(1e-6 + 8000 / 1e12));
}

TEST_CASE("a curve that ends two octaves too early is as far away as one of half or twice the channels") {
  const Calibration calibration = with_curves({{classify(bias_sum(64, 2)), 4.0, 3.0, {0.1, 0.1, 0.1}},  // to 2^10
                                               {classify(bias_sum(128, 2)), 4.0, 12.0, {0.2, 0.2}}});   // to 2^16
  CHECK(share_of(bias_sum(64, 900), calibration) == Approx(0.1));   // 1800 pixels: 0.8 octaves beyond
  CHECK(share_of(bias_sum(64, 1900), calibration) == Approx(0.1));  // 1.9
  CHECK(share_of(bias_sum(64, 2200), calibration) == Approx(0.2));  // 2.1
  CHECK(op_time(bias_sum(64, 1900), round_gpu(), calibration).measured);
  CHECK_FALSE(op_time(bias_sum(64, 2200), round_gpu(), calibration).measured);
  CHECK(share_of(bias_sum(256, 10), calibration) == Approx(0.2));
  CHECK(share_of(bias_sum(32, 10), calibration) == Approx(0.1));
  SECTION("of two as far the first counts, and kinds of others do not") {
    Calibration more = calibration;
    for (const OpKind kind : {OpKind::linear_weight_grad, OpKind::max_pool_forward}) {
      Op other = bias_sum(64, 2);
      other.kind = kind;
      more.curves.push_back({classify(other), 4.0, 3.0, {0.01}});
    }
    more.curves.push_back({classify(bias_sum(16, 2)), 4.0, 12.0, {0.05, 0.05}});
    sort_by_shape(more);
    CHECK(share_of(bias_sum(32, 10), more) == Approx(0.05));
    CHECK(share_of(bias_sum(64, 900), more) == Approx(0.1));
  }
}

TEST_CASE("widths between those that were measured lie on straight lines of logarithms, tried on random ones") {
  std::mt19937 random(5);
  const auto between = [&](double low, double high) {
    return low + (high - low) * static_cast<double>(random() % 1000) / 1000.0;
  };
  for (int round = 0; round < 40; ++round) {
    std::map<std::int64_t, double> known;
    std::vector<ShareCurve> curves;
    const auto add = [&](Op op, double share) { curves.push_back({classify(op), 10.0, 2.0, {share, share}}); };
    for (std::int64_t width = 32; width <= 512; width *= 2) {
      if (random() % 2 == 0) {
        known[width] = between(0.1, 1.0);
        add(tf32(width, width, 1), known[width]);
      }
      // None of these tells of it: other pairs, kinds, units, element sizes, layouts, few channels.
      add(tf32(width, 4 * width, 1), 0.01);
      add(tf32(width, width, 1, OpKind::conv_input_grad), 0.01);
      add(make_op(OpKind::conv_forward, MathMode::fp32, DType::f32, Layout::nhwc, {1, width, width, 1, 1}), 0.01);
      add(make_op(OpKind::conv_forward, MathMode::bf16, DType::bf16, Layout::nhwc, {1, width, width, 1, 1}), 0.01);
      add(tf32(16, 16, 1), 0.01);
    }
    const auto log_share = [&](std::int64_t width) {
      const auto above = known.lower_bound(width);
      if (above == known.end() || above == known.begin()) {
        return std::log(above == known.end() ? known.rbegin()->second : above->second);
      }
      const auto below = std::prev(above);
      const double f = std::log(static_cast<double>(width) / static_cast<double>(below->first)) /
                       std::log(static_cast<double>(above->first) / static_cast<double>(below->first));
      return (1.0 - f) * std::log(below->second) + f * std::log(above->second);
    };
    const Calibration calibration = with_curves(curves);
    for (int i = 0; i < 10 && !known.empty(); ++i) {
      const std::int64_t in = 20 + 4 * static_cast<std::int64_t>(random() % 180);
      const std::int64_t out = in == 32 ? 36 : 2 * in + 4;  // no pair that was measured
      const double share = std::exp(0.5 * (log_share(in) + log_share(out)));
      CAPTURE(round, in, out);
      CHECK(share_of(tf32(in, out, 2048), calibration) == Approx(share));
      CHECK_FALSE(op_time(tf32(in, out, 2048), round_gpu(), calibration).measured);
      // An image of an eighth of the smallest one measured reaches half of the share an octave less by its root.
      CHECK(share_of(tf32(in, out, 128), calibration) == Approx(share * std::pow(2.0, -1.5)));
    }
  }
}

TEST_CASE("widths of one kind of convolution tell of no other kind") {
  std::vector<ShareCurve> curves;
  for (const auto& [kind, share] : {std::pair{OpKind::conv_forward, 0.2}, std::pair{OpKind::conv_input_grad, 0.4},
                                    std::pair{OpKind::conv_weight_grad, 0.8}}) {
    curves.push_back({classify(tf32(64, 64, 1, kind)), 10.0, 2.0, {share}});
  }
  for (const auto& [kind, share] : {std::pair{OpKind::conv_forward, 0.2}, std::pair{OpKind::conv_input_grad, 0.4},
                                    std::pair{OpKind::conv_weight_grad, 0.8}}) {
    for (const std::int64_t width : {32, 64, 128}) {
      CHECK(share_of(tf32(width, 96, 2048, kind), with_curves(curves)) == Approx(share));
    }
  }
}

TEST_CASE("the roofline is the slower of arithmetic and memory") {
  const hardware::Gpu gpu = round_gpu();  // 1e12 bytes, 1e14 FLOPs in TF32, 1e13 in fp32 a second
  const Op large = tf32(256, 256, 10'000);
  CHECK(roofline_seconds(large, gpu) == Approx(2.0 * 9 * 256 * 256 * 10'000 / 1e14));
  const Op small = make_op(OpKind::linear_forward, MathMode::tf32, DType::f32, Layout::nchw, {3, 500, 700, 1, 1});
  CHECK(roofline_seconds(small, gpu) == Approx(4.0 * (3 * 1200 + 500 * 700) / 1e12));
  const Op plain = make_op(OpKind::conv_forward, MathMode::fp32, DType::f32, Layout::nhwc, {1, 100, 100, 10, 100});
  CHECK(roofline_seconds(plain, gpu) == Approx(2.0 * 9 * 100 * 100 * 1000 / 1e13));
  CHECK(roofline_seconds(relu(1000), gpu) == Approx(8e3 / 1e12));
  const Op odd = tf32(250, 250, 10'000);  // in tiles: 256 wide, an even number of vectors
  CHECK(roofline_seconds(odd, gpu) == Approx(tiled_product(odd).flops / 1e14));
  Op other = make_op(OpKind::conv_forward, MathMode::tf32, DType::f32, Layout::nhwc, {1, 512, 512, 10, 100},
                     {5, 5, 1, 1, 1, false, 10, 100});
  CHECK(roofline_seconds(other, gpu) == Approx(2.0 * 25 * 512 * 512 * 1000 / 1e14));
  // Of 100 images of 512 channels 64 run side by side.
  const Op pool = make_op(OpKind::avg_pool_forward, MathMode::fp32, DType::f32, Layout::nhwc, {100, 512, 7, 8, 8});
  CHECK(roofline_seconds(pool, gpu) == Approx(pool.bytes().as_double() / 64 / 1e12));
  hardware::Gpu old;  // knows nothing of bfloat16
  old.memory_bandwidth = gpu.memory_bandwidth;
  const Op half = make_op(OpKind::linear_forward, MathMode::bf16, DType::bf16, Layout::nchw, {64, 4096, 4096, 1, 1});
  CHECK(roofline_seconds(half, old) == Approx(half.bytes().as_double() / 1e12));
}

TEST_CASE("Linear layers beyond what was measured grow in true fp32 alone, and never beyond large products") {
  const auto linear = [](DType type, std::int64_t images) {
    return make_op(OpKind::linear_forward, MathMode::fp32, type, Layout::nchw, {images, 4096, 4096, 1, 1});
  };
  const auto share = [&](DType type, std::int64_t images, double last) {
    return share_of(linear(type, images), with_curves({{classify(linear(type, 1)), 0.0, 1.0, {0.1, last}}}));
  };
  CHECK(share(DType::f32, 2, 0.25) == Approx(0.25));
  CHECK(share_of(linear(DType::f32, 3), with_curves({{classify(linear(DType::f32, 1)), 0.0, 2.0, {0.1, 0.1}}})) ==
        Approx(0.1));
  CHECK(share(DType::f32, 4, 0.25) == Approx(0.5));
  CHECK(share(DType::f32, 8, 0.25) == Approx(0.625));
  CHECK(share(DType::f32, 8, 0.75) == Approx(0.75));
  CHECK(share(DType::f32, 8, 0.9) == Approx(0.9));
  CHECK(share(DType::f16, 8, 0.25) == Approx(0.25));
  CHECK(share_of(bias_sum(8, 512), with_curves({{classify(bias_sum(8, 2)), 0.0, 1.0, {0.1, 0.25}}})) == Approx(0.25));
}

TEST_CASE("a product of one image with more than 2^31 weights in true fp32 goes through them at 47 ps each") {
  const auto seconds = [](OpKind kind, DType type, std::int64_t images, std::int64_t in) {
    return op_seconds(make_op(kind, MathMode::fp32, type, Layout::nchw, {images, in, 1 << 15, 1, 1}), round_gpu(), {})
        .count();
  };
  constexpr std::int64_t kBorder = 1 << 16;
  const double slow = 47e-12 * static_cast<double>(kBorder) * (1 << 15);
  using enum OpKind;
  CHECK(seconds(linear_forward, DType::f32, 1, kBorder) == Approx(slow));
  CHECK(op_time(make_op(linear_forward, MathMode::fp32, DType::f32, Layout::nchw, {1, kBorder, 1 << 15, 1, 1}),
                round_gpu(), {})
            .measured);
  const double just_fits =
      op_seconds(make_op(linear_forward, MathMode::fp32, DType::f32, Layout::nchw, {1, 1, base::kLargestInt32, 1, 1}),
                 round_gpu(), {})
          .count();
  for (const double other :
       {seconds(linear_forward, DType::f32, 1, kBorder - 1), seconds(linear_forward, DType::f32, 2, kBorder),
        seconds(linear_forward, DType::bf16, 1, kBorder), seconds(linear_input_grad, DType::f32, 1, kBorder),
        seconds(linear_weight_grad, DType::f32, 1, kBorder), just_fits}) {
    CHECK(other < 0.5 * slow);
  }
}

TEST_CASE("the gradient of an image takes what forward takes, and none that only looks like it does") {
  const auto op = [](OpKind kind, std::int64_t channels, MathMode math = MathMode::tf32) {
    return make_op(kind, math, DType::f32, Layout::nhwc, {8, channels, 64, 32, 32});
  };
  using enum OpKind;
  const Calibration calibration = with_curves(
      {{classify(op(conv_forward, 3)), 10.0, 2.0, {0.1}}, {classify(op(conv_input_grad, 3)), 10.0, 2.0, {0.4}}});
  const auto seconds = [&](const Op& one) { return op_seconds(one, round_gpu(), calibration).count(); };
  for (const std::int64_t channels : {1, 3, 4}) {
    CHECK(seconds(op(conv_input_grad, channels)) == Approx(seconds(op(conv_forward, channels))));
    CHECK_FALSE(op_time(op(conv_input_grad, channels), round_gpu(), calibration).measured);
  }
  CHECK(share_of(op(conv_forward, 3), calibration) == Approx(0.1));
  CHECK(share_of(op(conv_input_grad, 5), calibration) == Approx(0.4));
  CHECK(share_of(op(conv_weight_grad, 3), calibration) == Approx(kUnknown));
  CHECK(share_of(op(conv_input_grad, 3, MathMode::fp32), calibration) == Approx(0.4));
}

TEST_CASE("what the host alone does takes the GPU no time") {
  for (const OpKind kind : {OpKind::host_read, OpKind::checkpoint, OpKind::compiled_call}) {
    const OpTime time =
        op_time(make_op(kind, MathMode::fp32, DType::f32, Layout::nchw, {}), round_gpu(), round_calibration());
    CHECK(time.seconds == 0.0);
    CHECK(time.measured);
  }
}

TEST_CASE("an op counts as measured where its own kernels were, on channels of its own") {
  const auto conv = [](std::int64_t in, std::int64_t out, const Filter& filter = {}) {
    return make_op(OpKind::conv_forward, MathMode::tf32, DType::f32, Layout::nhwc, {1, in, out, 32, 32}, filter);
  };
  const auto measured = [](const Op& op) {
    return op_time(op, round_gpu(), with_curves({{classify(op), 10.0, 2.0, {0.5}}})).measured;
  };
  CHECK(measured(conv(64, 64)));
  CHECK_FALSE(measured(conv(61, 64)));  // padded to 64
  CHECK_FALSE(measured(conv(64, 61)));
  CHECK_FALSE(measured(conv(16, 32)));  // few on both sides
  CHECK_FALSE(measured(conv(32, 16)));
  CHECK(measured(conv(3, 33)));
  CHECK(measured(conv(33, 3)));
  const auto filter = [](std::int64_t groups) { return Filter{5, 5, 1, 1, groups, false, 32, 32}; };
  CHECK(measured(conv(16, 16, filter(1))));
  CHECK_FALSE(measured(conv(64, 64, filter(2))));
  CHECK_FALSE(measured(conv(64, 64, filter(64))));
  CHECK(measured(bias_sum(8, 8)));
  CHECK_FALSE(op_time(conv(64, 64), round_gpu(), {}).measured);
}

}  // namespace vggplan::timing
