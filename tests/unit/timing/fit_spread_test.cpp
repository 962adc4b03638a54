// SPDX-License-Identifier: MIT
#include "timing/fit.hpp"
#include "timing/host.hpp"
#include "unit/timing/fixtures.hpp"

namespace vggplan::timing {
namespace {

using enum OpKind;

/// Steps that take 1 + (i - 50) / 100 `width` times what the model says, for i from 0 to 100, in no order.
void add_ratios(std::vector<StepSample>& steps, const std::vector<Op>& ops, const Calibration& calibration,
                double width, double middle = 1.0, double operation = 0.0) {
  const double modelled = step_time(ops, round_gpu(), calibration).step.value.count();
  for (int i = 0; i <= 100; ++i) {
    StepSample step;
    step.ops = ops;
    step.step = base::Seconds(modelled * (middle + width * ((i * 37) % 101 - 50) / 100.0));
    step.host_operation = base::Seconds(operation);
    steps.push_back(step);
  }
}

void check_spread(const Spread& found, double low, double high) {
  CHECK(found.low == Approx(low));
  CHECK(found.high == Approx(high));
}

/// ReLU at a known rate, a host that takes 20 us for each op.
Calibration calibration_of_spreads() {
  Calibration calibration = round_calibration();
  calibration.host.forward_op_seconds = 20e-6;
  calibration.host_speed = {10e-6, 5e-6, 20e-6};
  const Op conv = make_op(conv_forward, MathMode::fp32, DType::f32, Layout::nhwc, {9, 64, 64, 300, 300});
  calibration.curves.push_back({classify(conv), 10.0, 2.0, {0.5}});
  return calibration;
}

}  // namespace

TEST_CASE("ranges are from the 2nd to the 98th percentile of each kind of step, with a margin") {
  const std::vector<Op> by_gpu(3, relu(100'000'000));
  const std::vector<Op> by_host(9, relu(100));
  const std::vector<Op> fp32{make_op(conv_forward, MathMode::fp32, DType::f32, Layout::nhwc, {9, 64, 64, 300, 300})};
  const auto fitted = [](const std::vector<StepSample>& steps) {
    Calibration calibration = calibration_of_spreads();
    fit_spread(steps, round_gpu(), calibration);
    return calibration;
  };
  const Calibration truth = calibration_of_spreads();
  SECTION("of the GPU: 2 % more, and 4 % at least") {
    std::vector<StepSample> steps;
    add_ratios(steps, by_gpu, truth, 0.5);
    check_spread(fitted(steps).spread, 1.0 - 0.24 - 0.02, 1.0 + 0.24 + 0.02);
    check_spread(fitted(steps).spread_fp32, 0.5, 2.0);
    check_spread(fitted(steps).spread_host, 0.7, 1.4);
    steps.clear();
    add_ratios(steps, by_gpu, truth, 0.01);
    check_spread(fitted(steps).spread, 0.96, 1.04);
  }
  SECTION("of the host: 10 % more and 20 % at least, its speed taken out") {
    std::vector<StepSample> steps;
    add_ratios(steps, by_host, truth, 1.0);
    check_spread(fitted(steps).spread_host, 1.0 - 0.48 - 0.1, 1.0 + 0.48 + 0.1);
    check_spread(fitted(steps).spread, 0.9, 1.1);
    steps.clear();
    add_ratios(steps, by_host, truth, 1.6, 1.6, 20e-6);  // a host that takes 1.6 times as long
    check_spread(fitted(steps).spread_host, 1.0 - 0.48 - 0.1, 1.0 + 0.48 + 0.1);
    steps.clear();
    add_ratios(steps, by_host, truth, 0.01);
    check_spread(fitted(steps).spread_host, 0.8, 1.2);
  }
  SECTION("in true fp32 the ends, and a quarter beyond them") {
    std::vector<StepSample> steps;
    add_ratios(steps, fp32, truth, 1.0);
    check_spread(fitted(steps).spread_fp32, 0.5 / 1.25, 1.5 * 1.25);
    check_spread(fitted(steps).spread, 0.9, 1.1);
  }
  SECTION("steps kept for ranges count alone, but for those in true fp32") {
    std::vector<StepSample> steps;
    add_ratios(steps, by_gpu, truth, 0.2);
    for (StepSample& step : steps) {
      step.for_ranges = true;
    }
    add_ratios(steps, by_gpu, truth, 0.2, 2.0);
    add_ratios(steps, by_host, truth, 0.2, 2.0);
    add_ratios(steps, fp32, truth, 1.0);
    check_spread(fitted(steps).spread, 1.0 - 0.096 - 0.02, 1.0 + 0.096 + 0.02);
    check_spread(fitted(steps).spread_host, 0.7, 1.4);
    check_spread(fitted(steps).spread_fp32, 0.4, 1.875);
  }
  SECTION("where a slow host would decide, or operations stand in, a step tells of nothing") {
    std::vector<StepSample> steps;
    Calibration near = truth;
    near.host.forward_op_seconds = 6e-3;  // of 8 ms on the GPU: a slow host takes 1.6 times as long
    std::vector<Op> guessed = by_gpu;
    guessed[0].stands_in = true;
    add_ratios(steps, by_gpu, near, 0.5);
    add_ratios(steps, guessed, near, 0.5);
    Calibration found = near;
    fit_spread(steps, round_gpu(), found);
    check_spread(found.spread, 0.9, 1.1);
    check_spread(found.spread_host, 0.7, 1.4);
    check_spread(fitted(steps).spread, 1.0 - 0.24 - 0.02, 1.0 + 0.24 + 0.02);  // a host of 20 us decides nothing
  }
}

}  // namespace vggplan::timing
