// SPDX-License-Identifier: MIT
#include "vggplan/timing/calibrate.hpp"

#include <cmath>

#include "support/catch.hpp"
#include "timing/least_squares.hpp"
#include "timing/rates.hpp"
#include "timing/tiles.hpp"
#include "unit/timing/fixtures.hpp"
#include "vggplan/timing/carry_over.hpp"

namespace {

using namespace vggplan;
using namespace vggplan::timing;
using Catch::Detail::Approx;

/// Convolutions of one class at half the roofline, whatever their size.
std::vector<OpSample> half_speed() {
  std::vector<OpSample> samples;
  for (std::int64_t side = 8; side <= 1024; side *= 2) {
    const Op op = convolution(OpKind::conv_forward, {1, 256, 256, side, side});
    const double roofline = std::max(op.flops.as_double() / 1e14, op.bytes().as_double() / 1e12);
    samples.push_back({op, base::Seconds(2.0 * roofline)});
  }
  return samples;
}

}  // namespace

TEST_CASE("least squares find what made the points") {
  CHECK(solve({{4, 1}, {1, 3}}, {1, 2})[0] == Approx(1.0 / 11));
  std::vector<double> x;
  std::vector<double> y;
  for (int i = 0; i <= 40; ++i) {
    x.push_back(i / 10.0);
    y.push_back(3.0 - 0.5 * x.back());
  }
  y[7] += 5.0;  // an outlier
  const std::vector<double> nodes = fit_nodes(x, y, 5);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    CHECK(nodes[i] == Approx(3.0 - 0.5 * static_cast<double>(i)).margin(0.03));
  }
  SECTION("non-negative coefficients leave out what would be negative") {
    // y = 2 a - 1 b at a = 1, 2, 3 and b = 0.1: the best without a negative is close to 2 a.
    const std::array<std::array<double, 3>, 3> rows{
        {{1 / 1.9, 0.1 / 1.9, 0}, {2 / 3.9, 0.1 / 3.9, 0}, {3 / 5.9, 0.1 / 5.9, 0}}};
    const auto c = fit_non_negative(rows);
    CHECK(c[1] == 0.0);
    CHECK(c[0] == Approx(1.95).epsilon(0.02));
  }
  CHECK(median({3, 1, 2}) == 2.0);
  CHECK(percentile({0, 10}, 0.25) == Approx(2.5));
}

TEST_CASE("a fit finds the shares and rates that made its samples") {
  Samples samples;
  samples.ops = half_speed();
  const Calibration truth = round_calibration();
  for (std::int64_t n = 1000; n < 1'000'000'000; n *= 3) {
    samples.ops.push_back({relu(n), op_seconds(relu(n), round_gpu(), truth)});
  }
  const Fit fit = calibrate(round_gpu(), samples);
  REQUIRE(fit.calibration.curves.size() == 1);
  for (const double share : fit.calibration.curves[0].shares) {
    CHECK(share == Approx(0.5).epsilon(1e-3));
  }
  REQUIRE(fit.calibration.streams.size() == 1);
  CHECK(fit.calibration.streams[0].start_seconds == Approx(1e-6).epsilon(1e-3));
  CHECK(fit.calibration.streams[0].cached.count() == Approx(1e12).epsilon(1e-3));
  CHECK(fit.calibration.streams[0].uncached.count() == Approx(1e11).epsilon(1e-3));
}

TEST_CASE("what contiguous convolutions take longer gives the rate of turning back") {
  constexpr double kRate = 5e11;
  Samples samples;
  for (std::int64_t side = 64; side <= 512; side *= 2) {
    const Op plain = convolution(OpKind::conv_forward, {4, 64, 128, side, side});
    const Op turned = convolution(OpKind::conv_forward, {4, 64, 128, side, side}, base::Layout::nchw);
    const double seconds = 2.0 * roofline_seconds(plain, round_gpu());
    samples.ops.push_back({plain, base::Seconds(seconds)});
    samples.ops.push_back({turned, base::Seconds(seconds + 3e-6 + copies_of(turned).bytes / kRate)});
  }
  const Calibration found = calibrate(round_gpu(), samples).calibration;
  REQUIRE(found.streams.size() == 1);
  CHECK(found.streams[0].uncached.count() == Approx(kRate).epsilon(1e-3));
  REQUIRE(found.curves.size() == 1);  // both layouts share it
  for (const OpSample& sample : samples.ops) {
    CHECK(op_seconds(sample.op, round_gpu(), found).count() == Approx(sample.seconds.count()).epsilon(0.01));
  }
}

TEST_CASE("the same rows give the same bits, and no rows give a calibration that still answers") {
  Samples samples;
  samples.ops = half_speed();
  CHECK(calibrate(round_gpu(), samples).calibration == calibrate(round_gpu(), samples).calibration);
  const Fit empty = calibrate(round_gpu(), {});
  CHECK(step_time(std::vector<Op>{relu(1000)}, round_gpu(), empty.calibration).step.value.count() > 0.0);
}

TEST_CASE("rows of hosts give back the costs that made them, each at its speed") {
  HostCosts truth;
  truth.step_seconds = 50e-6;
  truth.forward_op_seconds = 40e-6;
  truth.backward_op_seconds = 25e-6;
  truth.optimizer_pass_seconds = 70e-6;
  truth.optimizer_tensor_seconds = 5e-6;
  Samples samples;
  for (int row = 0; row < 24; ++row) {
    const auto layers = static_cast<std::size_t>(5 + 3 * (row % 7));
    const std::int64_t passes = 1 + row % 4;
    const std::int64_t tensors = 10 + 7 * (row % 5);
    const double operation = row % 2 == 0 ? 5e-6 : 20e-6;  // half way between them, on a scale of factors: 10
    const double slower = 1.0 + 0.6 * (operation / 10e-6 - 1.0);
    StepSample sample;
    sample.on_host = true;
    sample.ops.assign(layers, relu(100));
    sample.ops.insert(sample.ops.end(), layers, relu(100, base::Phase::backward));
    sample.ops.push_back(make_optimizer(base::DType::f32, base::OptimizerImpl::foreach, 1000, tensors, {passes, 2, 1}));
    sample.ops.back().phase = base::Phase::optimizer;
    const auto pay = [slower](double seconds) { return base::Seconds(slower * seconds); };
    sample.forward = pay(50e-6 + 40e-6 * static_cast<double>(layers));
    sample.backward = pay(25e-6 * static_cast<double>(layers));
    sample.optimizer = pay(70e-6 * static_cast<double>(passes) + 5e-6 * static_cast<double>(tensors));
    sample.step = sample.forward + sample.backward + sample.optimizer;
    sample.host_operation = base::Seconds(operation);
    samples.steps.push_back(sample);
  }
  const Calibration found = calibrate(round_gpu(), samples).calibration;
  CHECK(found.host_speed.operation == Approx(10e-6));
  CHECK(found.host_speed.low == Approx(5e-6));
  CHECK(found.host_speed.high == Approx(20e-6));
  CHECK(found.host.forward_op_seconds == Approx(truth.forward_op_seconds).epsilon(0.05));
  CHECK(found.host.backward_op_seconds == Approx(truth.backward_op_seconds).epsilon(0.05));
  CHECK(found.host.optimizer_pass_seconds == Approx(truth.optimizer_pass_seconds).epsilon(0.05));
  CHECK(found.host.optimizer_tensor_seconds == Approx(truth.optimizer_tensor_seconds).epsilon(0.2));
}

TEST_CASE("collectives give back the rates that made them") {
  LinkRates truth;
  truth.nvlink_share = 0.7;
  truth.gather_share = 0.9;
  truth.start_seconds = 20e-6;
  hardware::Link link;
  link.per_direction = base::BytesPerSecond(100e9);
  const Fabric fabric = make_fabric(link, hardware::Topology::nvswitch, 2, 1, std::nullopt);
  Samples samples;
  for (std::int64_t bytes = 1024; bytes <= (std::int64_t{1} << 30); bytes *= 4) {
    for (const Collective c : {Collective::all_reduce, Collective::all_gather}) {
      samples.collectives.push_back(
          {c, base::Bytes(bytes), fabric, collective_seconds(c, base::Bytes(bytes), fabric, truth)});
    }
  }
  const LinkRates found = calibrate(round_gpu(), samples).calibration.links;
  CHECK(found.start_seconds == Approx(20e-6));
  CHECK(found.nvlink_share == Approx(0.7).epsilon(1e-3));
  CHECK(found.gather_share == Approx(0.9).epsilon(1e-3));
}

TEST_CASE("carried over to the same GPU, shares stay and the basis does not") {
  Samples samples;
  samples.ops = half_speed();
  const Calibration measured = calibrate(round_gpu(), samples).calibration;
  const Calibration carried = carry_over(measured, round_gpu(), round_gpu());
  CHECK(carried.basis == base::Basis::modelled);
  REQUIRE(carried.curves.size() == 1);
  CHECK(carried.curves[0].shares[1] == Approx(measured.curves[0].shares[1]));
}

TEST_CASE("carried over, less of anything is never faster") {
  Samples samples;
  samples.ops = half_speed();
  for (std::int64_t n = 1000; n < 1'000'000'000; n *= 3) {
    samples.ops.push_back({relu(n), op_seconds(relu(n), round_gpu(), round_calibration())});
  }
  const Calibration measured = calibrate(round_gpu(), samples).calibration;
  const auto seconds = [&](const hardware::Gpu& gpu, const Op& op) {
    return op_seconds(op, gpu, carry_over(measured, round_gpu(), gpu)).count();
  };
  hardware::Gpu less = round_gpu();
  less.memory_bandwidth = base::BytesPerSecond(4e11);
  hardware::Gpu slower = round_gpu();
  slower.tf32_tensor = base::FlopsPerSecond(4e13);
  for (const Op& op : {relu(100'000'000), convolution(OpKind::conv_forward, {1, 256, 256, 256, 256})}) {
    CHECK(seconds(less, op) >= 0.999 * seconds(round_gpu(), op));
    CHECK(seconds(slower, op) >= 0.999 * seconds(round_gpu(), op));
  }
  SECTION("and without tensor cores convolutions run as Winograd, at about the fp32 peak") {
    hardware::Gpu old = round_gpu();
    old.architecture = "Pascal";
    old.tf32_tensor.reset();
    const Op op = convolution(OpKind::conv_forward, {1, 256, 256, 256, 256});
    CHECK(seconds(old, op) == Approx(op.flops.as_double() / 1e13).epsilon(0.6));
    CHECK(seconds(old, op) < op.flops.as_double() / 1e13);
  }
}
