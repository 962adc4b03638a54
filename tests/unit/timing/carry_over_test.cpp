// SPDX-License-Identifier: MIT
// From a measured GPU to another, worked out by hand: one with other SMs, clock, bandwidth or units at a time.
#include "vggplan/timing/carry_over.hpp"

#include <algorithm>
#include <cmath>

#include "unit/timing/fixtures.hpp"

namespace vggplan::timing {
namespace {

/// round_gpu() with as many SMs, of such a clock and bandwidth.
hardware::Gpu with(std::int64_t sms, double mhz = 1000, double bandwidth = 1e12) {
  hardware::Gpu gpu = round_gpu();
  gpu.compute_capability = "9.0";
  gpu.sm_count = sms;
  gpu.boost_clock_mhz = mhz;
  gpu.memory_bandwidth = base::BytesPerSecond(bandwidth);
  return gpu;
}

hardware::Gpu generation(std::string architecture, std::string capability) {
  hardware::Gpu gpu = with(100);
  gpu.architecture = std::move(architecture);
  gpu.compute_capability = std::move(capability);
  return gpu;
}

/// What the only curve of `op` becomes on `to`.
ShareCurve carried(const Op& op, std::vector<double> shares, const hardware::Gpu& to, double first_octave = 10.0) {
  Calibration measured;
  measured.curves.push_back({classify(op), first_octave, 2.0, std::move(shares)});
  return carry_over(measured, with(100), to).curves.at(0);
}

Op conv_in(OpKind kind, MathMode math, std::int64_t in, std::int64_t out, const Filter& filter = {},
           Layout layout = Layout::nhwc) {
  const DType type = math == MathMode::fp16 ? DType::f16 : math == MathMode::bf16 ? DType::bf16 : DType::f32;
  return make_op(kind, math, type, layout, {1, in, out, 8, 8}, filter);
}

void check_shares(const ShareCurve& curve, const std::vector<double>& shares) {
  REQUIRE(curve.shares.size() == shares.size());
  for (std::size_t i = 0; i < shares.size(); ++i) {
    CHECK(curve.shares[i] == Approx(shares[i]));
  }
}

}  // namespace

TEST_CASE("streaming follows bandwidth, or SMs and clock until memory bounds it") {
  const auto rates = [](double cached, double uncached, const hardware::Gpu& to) {
    Calibration measured;
    measured.streams.push_back({classify(relu(1)), 3e-6, base::BytesPerSecond(cached), base::BytesPerSecond(uncached)});
    const StreamRate rate = carry_over(measured, with(100), to).streams.at(0);
    CHECK(rate.start_seconds == 3e-6);
    CHECK(rate.shape == measured.streams[0].shape);
    return std::pair{rate.cached.count() / 1e11, rate.uncached.count() / 1e11};
  };
  using Rates = std::pair<double, double>;
  const auto check = [&](const Rates& found, double cached, double uncached) {
    CHECK(found.first == Approx(cached));
    CHECK(found.second == Approx(uncached));
  };
  check(rates(20e11, 8e11, with(100)), 20, 8);
  check(rates(20e11, 1e11, with(200)), 40, 2);  // instructions bound it
  check(rates(20e11, 1e11, with(100, 3000)), 60, 3);
  check(rates(20e11, 1e11, with(50)), 10, 1);     // memory does, which is the same
  check(rates(20e11, 8e11, with(200)), 40, 8.8);  // until memory bounds it
  check(rates(20e11, 8e11, with(100, 1000, 0.5e12)), 20, 4.4);
  check(rates(20e11, 1e11, with(100, 1000, 0.5e12)), 20, 1);
  check(rates(20e11, 8e11, with(100, 1000, 4e12)), 32, 32);  // no slower in the cache than out of it
  check(rates(20e11, 8e11, with(50, 1000, 2e12)), 16, 16);
}

TEST_CASE("other kernels than products follow SMs, clock and bandwidth, up to what memory gives") {
  const Op pool = make_op(OpKind::max_pool_forward, MathMode::fp32, DType::f32, Layout::nchw, {1, 64, 64, 8, 8});
  check_shares(carried(pool, {0.2, 0.5, 0.95}, with(100)), {0.2, 0.5, 0.88});
  check_shares(carried(pool, {0.2, 0.5}, with(200)), {0.4, 0.88});
  check_shares(carried(pool, {0.2, 0.5}, with(100, 1500)), {0.3, 0.75});
  check_shares(carried(pool, {0.2, 0.5}, with(50)), {0.2, 0.5});  // no share falls
  check_shares(carried(pool, {0.2, 0.5}, with(100, 1000, 0.5e12)), {0.4, 0.88});
  check_shares(carried(pool, {0.2, 0.5}, with(100, 1000, 2e12)), {0.2, 0.5});
  SECTION("sizes in proportion to the SMs, and Linear layers as they are") {
    CHECK(carried(pool, {0.5}, with(400)).first_octave == Approx(12.0));
    CHECK(carried(pool, {0.5}, with(50)).first_octave == Approx(9.0));
    CHECK(carried(pool, {0.5}, with(50), 0.5).first_octave == 0.0);
    const Op linear = make_op(OpKind::linear_forward, MathMode::fp32, DType::f32, Layout::nchw, {1, 64, 64, 1, 1});
    CHECK(carried(linear, {0.2, 0.95}, with(400, 2000)) == ShareCurve{classify(linear), 10.0, 2.0, {0.2, 0.95}});
  }
  SECTION("a contiguous batch norm keeps no more SMs busy than it has channels") {
    const auto share = [](OpKind kind, std::int64_t channels, const hardware::Gpu& to, Layout layout = Layout::nchw) {
      const Op norm = make_op(kind, MathMode::fp32, DType::bf16, layout, {9, channels, channels, 8, 8});
      return carried(norm, {0.1}, to).shares.at(0);
    };
    for (const OpKind kind : {OpKind::batch_norm_forward, OpKind::batch_norm_backward}) {
      CHECK(share(kind, 64, with(200)) == Approx(0.1));
      CHECK(share(kind, 64, with(70)) == Approx(0.1));
      CHECK(share(kind, 64, with(200, 3000)) == Approx(0.3));
      CHECK(share(kind, 150, with(200)) == Approx(0.15));
      CHECK(share(kind, 999, with(200)) == Approx(0.2));
      CHECK(share(kind, 64, with(50, 4000)) == Approx(0.1 * 50 * 4 / 64));
      CHECK(share(kind, 64, with(200), Layout::nhwc) == Approx(0.2));
    }
    CHECK(share(OpKind::batch_norm_inference, 64, with(200)) == Approx(0.2));
  }
}

TEST_CASE("products follow tensor cores, which by architecture reach less, and more where they do less in a cycle") {
  const Op conv = conv_in(OpKind::conv_forward, MathMode::tf32, 64, 64);
  for (const auto& [architecture, factor] :
       {std::pair{"Hopper", 1.0}, std::pair{"Kepler", 1.0}, std::pair{"Maxwell", 1.0}, std::pair{"Pascal", 1.0},
        std::pair{"Volta", 0.61}, std::pair{"Turing", 0.55}, std::pair{"Ampere", 0.925},
        std::pair{"Ada Lovelace", 0.84}, std::pair{"Blackwell", 1.0}}) {
    check_shares(carried(conv, {0.2, 0.6}, generation(architecture, "8.0")), {factor * 0.2, factor * 0.6});
  }
  CHECK(carried(conv, {0.2}, with(200)).first_octave == Approx(11.0));
  hardware::Gpu slower = with(100);
  slower.tf32_tensor = base::FlopsPerSecond(1e14 / 16);
  check_shares(carried(conv, {0.2}, slower), {0.4});  // a sixteenth in a cycle: twice the share
  check_shares(carried(conv, {0.2}, with(100, 16000)), {0.4});
  check_shares(carried(conv, {0.2}, with(100, 1000, 3e12)), {0.2});
  const Op half = conv_in(OpKind::conv_forward, MathMode::fp16, 64, 64);
  check_shares(carried(half, {0.2}, slower), {0.2});
  hardware::Gpu unknown = with(100);
  unknown.bf16_tensor = {};
  Calibration measured;
  measured.curves = {{classify(conv_in(OpKind::conv_forward, MathMode::bf16, 64, 64)), 10.0, 2.0, {0.2}}};
  check_shares(carry_over(measured, unknown, with(100, 16000)).curves.at(0), {0.2});  // from what, nobody knows
  SECTION("a first layer streams") {
    const auto share = [](std::int64_t in, std::int64_t out, const Filter& filter = {}) {
      return carried(conv_in(OpKind::conv_forward, MathMode::tf32, in, out, filter), {0.2}, with(300)).shares.at(0);
    };
    const double reached = 0.2 * std::pow(3.0, 0.25);  // as many FLOPs of three times the SMs
    CHECK(share(16, 64) == Approx(0.6));
    CHECK(share(64, 16) == Approx(0.6));
    CHECK(share(17, 17) == Approx(reached));
    CHECK(share(16, 16, {5, 5, 1, 1, 1, false, 8, 8}) == Approx(reached));
  }
}

TEST_CASE("a weight gradient in TF32 is as fast as an input gradient where the measured GPU was a Hopper alone") {
  const auto weight = conv_in(OpKind::conv_weight_grad, MathMode::tf32, 64, 64);
  const auto share = [&](const Op& op, const hardware::Gpu& from, const hardware::Gpu& to, double first = 8.0) {
    Op input = op;
    input.kind = OpKind::conv_input_grad;
    Calibration measured;
    measured.curves = {{classify(input), first, 4.0, {0.4, 0.8}}, {classify(op), 10.0, 2.0, {0.2, 0.9}}};
    sort_by_shape(measured);
    return carry_over(measured, from, to).curves.at(op.kind == OpKind::conv_forward ? 0 : 1).shares;
  };
  const hardware::Gpu hopper = generation("Hopper", "9.0");
  const hardware::Gpu other = generation("Blackwell", "10.0");
  const auto check = [](const std::vector<double>& found, double first, double second) {
    CHECK(found.at(0) == Approx(first));
    CHECK(found.at(1) == Approx(second));
  };
  // At the tenth octave the other curve is half way from 0.4 to 0.8.
  check(share(weight, hopper, other), std::sqrt(0.4 * 0.8), 0.9);
  check(share(weight, hopper, other, 2.0), 0.8, 0.9);
  check(share(weight, hopper, hopper), 0.2, 0.9);
  check(share(weight, other, generation("Blackwell", "12.0")), 0.2, 0.9);
  check(share(conv_in(OpKind::conv_weight_grad, MathMode::bf16, 64, 64), hopper, other), 0.2, 0.9);
  check(share(conv_in(OpKind::conv_forward, MathMode::tf32, 64, 64), hopper, other), 0.2, 0.9);
  // Where no input gradient of its channels was measured it stays as it is.
  Calibration alone;
  alone.curves = {{classify(weight), 10.0, 2.0, {0.2}}};
  CHECK(carry_over(alone, hopper, other).curves.at(0).shares.at(0) == Approx(0.2));
  alone.curves = {{classify(conv_in(OpKind::conv_input_grad, MathMode::tf32, 128, 128)), 10.0, 2.0, {0.9}},
                  {classify(weight), 10.0, 2.0, {0.2}}};
  CHECK(carry_over(alone, hopper, other).curves.at(1).shares.at(0) == Approx(0.2));
}

TEST_CASE("without tensor cores convolutions run as Winograd, in FLOPs of the direct algorithm") {
  // Volta and later have tensor cores for 16 bits, but none for TF32.
  const auto old = [](std::string architecture) {
    hardware::Gpu gpu = generation(std::move(architecture), "6.0");
    gpu.tf32_tensor.reset();
    gpu.fp16_tensor.reset();
    gpu.bf16_tensor.reset();
    return gpu;
  };
  const auto best = [&](OpKind kind, MathMode math, const hardware::Gpu& to) {
    return carried(conv_in(kind, math, 64, 64), {0.2, 0.4}, to).shares;
  };
  for (const auto& [architecture, factor] :
       {std::pair{"Kepler", 0.85}, std::pair{"Maxwell", 1.2}, std::pair{"Pascal", 1.45}, std::pair{"Volta", 1.93},
        std::pair{"Turing", 1.42}, std::pair{"Ampere", 1.0}, std::pair{"Ada Lovelace", 1.0},
        std::pair{"Blackwell", 1.0}, std::pair{"unheard of", 1.0}}) {
    for (const MathMode math : {MathMode::fp32, MathMode::tf32, MathMode::fp16, MathMode::bf16}) {
      CHECK(best(OpKind::conv_forward, math, old(architecture)).at(1) == Approx(1.2 * factor));
      CHECK(best(OpKind::conv_forward, math, old(architecture)).at(0) == Approx(0.6 * factor));
      CHECK(best(OpKind::conv_input_grad, math, old(architecture)).at(1) == Approx(0.95 * factor));
      CHECK(best(OpKind::conv_weight_grad, math, old(architecture)).at(1) == Approx(0.95 * factor));
    }
  }
  const hardware::Gpu pascal = old("Pascal");
  hardware::Gpu large = pascal;
  large.sm_count = 200;
  CHECK(carried(conv_in(OpKind::conv_forward, MathMode::fp32, 64, 64), {0.2}, large).first_octave == Approx(11.0));
  SECTION("few channels gain nothing, and other filters stay as they are") {
    const auto share = [&](std::int64_t in, std::int64_t out, const Filter& filter = {}) {
      return carried(conv_in(OpKind::conv_forward, MathMode::tf32, in, out, filter), {0.1, 0.2}, pascal).shares;
    };
    CHECK(share(15, 64) == std::vector{0.25, 0.5});
    CHECK(share(64, 15) == std::vector{0.25, 0.5});
    CHECK(share(16, 64).at(1) == Approx(1.2 * 1.45));
    CHECK(share(64, 64, {5, 5, 1, 1, 1, false, 8, 8}) == std::vector{0.1, 0.2});
  }
  SECTION("true fp32 takes the way of TF32 to its best, where there is no TF32, whatever the layout") {
    const auto way = [](Layout layout, const hardware::Gpu& to) {
      const Op op = conv_in(OpKind::conv_forward, MathMode::fp32, 64, 64, {}, layout);
      Calibration measured;
      measured.curves = {{classify(op), 10.0, 2.0, {0.01, 0.02}},
                         {classify(conv_in(OpKind::conv_forward, MathMode::tf32, 64, 64)), 6.0, 1.0, {0.1, 0.3, 0.4}}};
      sort_by_shape(measured);
      const Calibration found = carry_over(measured, with(100), to);
      return *std::find_if(found.curves.begin(), found.curves.end(),
                           [&](const ShareCurve& curve) { return curve.shape == classify(op); });
    };
    for (const Layout layout : {Layout::nchw, Layout::nhwc}) {
      const ShareCurve curve = way(layout, pascal);
      CHECK(curve.first_octave == 6.0);
      CHECK(curve.octaves_per_node == 1.0);
      check_shares(curve, {1.2 * 1.45 * 0.25, 1.2 * 1.45 * 0.75, 1.2 * 1.45});
      CHECK(way(layout, generation("Ampere", "8.0")).first_octave == 10.0);
    }
  }
}

TEST_CASE("units are told apart by type: a GPU may have tensor cores for one and not for another") {
  for (const MathMode math : {MathMode::tf32, MathMode::fp16, MathMode::bf16}) {
    hardware::Gpu gpu = generation("Turing", "7.5");
    gpu.tf32_tensor.reset();
    gpu.fp16_tensor.reset();
    gpu.bf16_tensor.reset();
    const Op op = conv_in(OpKind::conv_forward, math, 64, 64);
    check_shares(carried(op, {0.2}, gpu), {1.2 * 1.42});
    (math == MathMode::tf32   ? gpu.tf32_tensor
     : math == MathMode::fp16 ? gpu.fp16_tensor
                              : gpu.bf16_tensor) = *hardware::peak_rate(round_gpu(), math);
    check_shares(carried(op, {0.2}, gpu), {0.55 * 0.2});
  }
}

TEST_CASE("what is carried over names both GPUs, has the cache of one and the range of what nobody timed") {
  Calibration measured = round_calibration();
  hardware::Gpu to = with(100);
  to.name = "other";
  to.l2_cache = base::Bytes(123);
  const Calibration found = carry_over(measured, with(100), to);
  CHECK(found.gpu == "other");
  CHECK(found.carried_from == "round");
  CHECK(found.l2_cache.count() == 123);
  CHECK(found.basis == base::Basis::modelled);
  CHECK(found.spread == Spread{0.75, 1.35});
  CHECK(found.spread_fp32 == Spread{0.6, 1.6});
  CHECK(found.spread_host == Spread{0.6, 1.6});
  CHECK(found.host == measured.host);
}

TEST_CASE("the GPU to carry over from is that of the nearest bandwidth for its fastest arithmetic") {
  // Whatever the unit that is fastest.
  for (const MathMode fastest : {MathMode::fp32, MathMode::tf32, MathMode::fp16, MathMode::bf16}) {
    const auto gpu = [&](double bandwidth, double flops) {
      hardware::Gpu made = with(100, 1000, bandwidth);
      made.fp32 = made.tf32_tensor = made.fp16_tensor = made.bf16_tensor = base::FlopsPerSecond(0.01 * flops);
      (fastest == MathMode::fp32   ? made.fp32
       : fastest == MathMode::tf32 ? made.tf32_tensor
       : fastest == MathMode::fp16 ? made.fp16_tensor
                                   : made.bf16_tensor) = base::FlopsPerSecond(flops);
      return made;
    };
    const std::vector<hardware::Gpu> measured{gpu(1e12, 1e15), gpu(4e12, 1e15), gpu(1e12, 1e14), gpu(2e12, 2e14)};
    CHECK(most_alike(measured, gpu(1e12, 1e15)) == 0);
    CHECK(most_alike(measured, gpu(1e11, 0.26e14)) == 1);
    CHECK(most_alike(measured, gpu(3e12, 2e15)) == 0);
    CHECK(most_alike(measured, gpu(5e12, 2e15)) == 1);
    CHECK(most_alike(measured, gpu(1e12, 1e13)) == 2);  // the first of two as far
    CHECK(most_alike(measured, gpu(1e9, 1e15)) == 0);
  }
}

}  // namespace vggplan::timing
