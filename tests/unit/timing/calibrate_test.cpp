// SPDX-License-Identifier: MIT
#include "vggplan/timing/calibrate.hpp"

#include <cmath>

#include "timing/least_squares.hpp"
#include "timing/rates.hpp"
#include "timing/tiles.hpp"
#include "unit/timing/fixtures.hpp"
#include "vggplan/timing/carry_over.hpp"

namespace vggplan::timing {
namespace {

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

TEST_CASE("a fit says of how many rows each part was fitted and how far it is off in the median and at worst") {
  Samples samples;
  for (const double factor : {1.0, 1.1, 1.3}) {
    samples.ops.push_back({relu(100'000'000), base::Seconds(factor * 8e-3)});
    samples.ops.push_back(
        {make_op(OpKind::fill, base::MathMode::fp32, base::DType::f32, base::Layout::nchw, {}), base::Seconds(factor)});
  }
  samples.ops.push_back({relu(10), base::Seconds(0.0)});
  hardware::Link link;
  link.per_direction = base::BytesPerSecond(100e9);
  const Fabric two = make_fabric(link, hardware::Topology::nvswitch, 2, 1, std::nullopt);
  for (const double seconds : {1.0, 2.0}) {
    samples.collectives.push_back({Collective::broadcast, base::Bytes(1000), two, base::Seconds(seconds)});
  }
  samples.copies = {{base::Bytes(1'000'000), base::Seconds(1e-3)}};
  StepSample step;
  step.ops = {relu(100'000'000), relu(100'000'000, base::Phase::backward)};
  step.step = base::Seconds(0.02);
  step.forward = base::Seconds(0.01);
  step.backward = base::Seconds(0.01);
  step.optimizer = base::Seconds(0.01);  // which no op tells of
  samples.steps.assign(3, step);
  samples.steps[0].for_ranges = true;
  samples.steps[1].step = base::Seconds(0.03);
  samples.steps[2].ops.push_back(relu(100'000'000, base::Phase::optimizer));
  step.on_host = true;
  step.host_operation = base::Seconds(10e-6);
  samples.steps.push_back(step);
  ParallelSample parallel;
  parallel.ops = step.ops;
  parallel.fabric = two;
  parallel.step = base::Seconds(0.05);
  samples.parallel.push_back(parallel);
  // Neither rows of hosts nor those kept for ranges say anything of how long kernels take in a step.
  const Op conv = convolution(OpKind::conv_forward, {8, 64, 64, 300, 300});
  samples.ops.push_back({conv, base::Seconds(0.01)});
  StepSample slow;
  slow.ops = {conv};
  slow.step = slow.forward = base::Seconds(0.012);
  slow.for_ranges = true;
  samples.steps.push_back(slow);
  slow.for_ranges = false;
  slow.on_host = true;
  samples.steps.push_back(slow);
  const Fit fit = calibrate(round_gpu(), samples);
  CHECK(fit.calibration.gpu == "round");
  CHECK(fit.calibration.l2_cache == round_gpu().l2_cache);
  // All parts were fitted.
  CHECK(fit.calibration.host.gap_seconds > 0.0);
  CHECK(fit.calibration.host.forward_op_seconds > 0.0);
  CHECK(fit.calibration.host_speed.operation == Approx(10e-6));
  CHECK(fit.calibration.spread != Spread{});
  CHECK(fit.calibration.links.start_seconds == Approx(1.5));
  CHECK(fit.calibration.input.pinned_copy.count() == Approx(1e9));
  const auto check = [&](std::string_view what, std::vector<double> errors) {
    CAPTURE(what);
    const auto line =
        std::find_if(fit.lines.begin(), fit.lines.end(), [&](const FitLine& l) { return l.what == what; });
    REQUIRE(line != fit.lines.end());
    std::sort(errors.begin(), errors.end());
    CHECK(line->rows == errors.size());
    const std::size_t half = errors.size() / 2;
    const double middle = errors.empty()           ? 0.0
                          : errors.size() % 2 == 1 ? errors[half]
                                                   : 0.5 * (errors[half - 1] + errors[half]);
    CHECK(line->median_error == Approx(middle).margin(1e-12));
    CHECK(line->worst_error == Approx(errors.empty() ? 0.0 : errors.back()).margin(1e-12));
  };
  const auto off = [](double modelled, double measured) {
    return std::max(modelled, measured) / measured - 1.0 + 1.0 - std::min(modelled, measured) / measured;
  };
  const double relu_seconds = op_seconds(relu(100'000'000), round_gpu(), fit.calibration).count();
  check("conv_forward", {0.0});
  check("relu_forward", {off(relu_seconds, 8e-3), off(relu_seconds, 8.8e-3), off(relu_seconds, 10.4e-3)});
  const double start = fit.calibration.links.start_seconds;
  check("collective", {off(start, 1.0), off(start, 2.0)});
  const StepTime time = step_time(step.ops, round_gpu(), fit.calibration);
  const StepTime updated = step_time(samples.steps[2].ops, round_gpu(), fit.calibration);
  check("step", {off(time.step.value.count(), 0.03), off(updated.step.value.count(), 0.02)});
  check("step: forward", {off(time.forward.value.count(), 0.01), off(updated.forward.value.count(), 0.01)});
  check("step: backward", {off(time.backward.value.count(), 0.01), off(updated.backward.value.count(), 0.01)});
  check("step: optimizer", {off(updated.optimizer.value.count(), 0.01)});
  const double slow_modelled = step_time(slow.ops, round_gpu(), fit.calibration).step.value.count();
  check("step of the host", {off(time.step.value.count(), 0.02), off(slow_modelled, 0.012)});
  const ParallelTime both = parallel_step_time(step.ops, round_gpu(), fit.calibration, {}, {}, two);
  check("step on several GPUs", {off(both.step.step.value.count(), 0.05)});
}

}  // namespace vggplan::timing
