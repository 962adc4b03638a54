// SPDX-License-Identifier: MIT
// Made-up rows of hosts: the costs that made them are found again, and rows that must not count do not.
#include <algorithm>
#include <cmath>

#include "timing/fit.hpp"
#include "timing/host.hpp"
#include "timing/rates.hpp"
#include "unit/timing/fixtures.hpp"

namespace vggplan::timing {
namespace {

using base::Phase;
using enum OpKind;

/// An op so small that the GPU has nothing to do.
Op small_op(OpKind kind, Phase phase, std::int64_t kernels = 1, std::int64_t tensors = 1) {
  Op op = make_op(kind, MathMode::tf32, DType::f32, Layout::nhwc, {1, 1, 1, 1, 1});
  op.phase = phase;
  op.kernels = kernels;
  op.tensors = tensors;
  return op;
}

HostCosts costs_to_find() {
  HostCosts costs;
  costs.step_seconds = 150e-6;
  costs.forward_op_seconds = 40e-6;
  costs.unrecorded_share = 0.5;
  costs.cast_seconds = 12e-6;
  costs.backward_seconds = 200e-6;
  costs.backward_op_seconds = 25e-6;
  costs.gradient_seconds = 60e-6;
  costs.kernel_seconds = 5e-6;
  costs.checkpoint_seconds = 300e-6;
  costs.recompute_seconds = 350e-6;
  costs.saved_tensor_seconds = 15e-6;
  costs.optimizer_pass_seconds = 90e-6;
  costs.optimizer_tensor_seconds = 5e-6;
  costs.optimizer_call_seconds = 20e-6;
  costs.scaler_seconds = 500e-6;
  return costs;
}

/// A row that asks for all costs, more of each in some rows than in others; its phases are added up here.
StepSample host_row(int row) {
  const HostCosts c = costs_to_find();
  StepSample sample;
  sample.on_host = true;
  double forward = c.step_seconds;
  double backward = 0.0;
  double optimizer = 0.0;
  const auto many = [&](int stride, int most) { return static_cast<std::size_t>((row * stride + row / most) % most); };
  const auto add = [&](std::size_t count, const Op& op, double& phase, double each) {
    sample.ops.insert(sample.ops.end(), count, op);
    phase += static_cast<double>(count) * each;
  };
  add(2 + many(1, 5), small_op(relu_forward, Phase::forward), forward, c.forward_op_seconds);
  Op unrecorded = small_op(relu_forward, Phase::forward);
  unrecorded.records = false;
  add(many(2, 7), unrecorded, forward, c.unrecorded_share * c.forward_op_seconds);
  add(many(3, 11), small_op(cast, Phase::forward), forward, c.cast_seconds);
  add(many(1, 2), small_op(bias_add, Phase::forward, 9), forward, 9 * c.kernel_seconds);
  add(many(1, 3), small_op(checkpoint, Phase::forward, 0, 10), forward,
      c.checkpoint_seconds + 10 * c.saved_tensor_seconds);
  add(many(2, 3), small_op(checkpoint, Phase::forward, 0, 30), forward,
      c.checkpoint_seconds + 30 * c.saved_tensor_seconds);
  add(many(1, 2), small_op(loss_backward, Phase::backward), backward, c.backward_seconds + c.backward_op_seconds);
  add(1 + many(3, 7), small_op(relu_backward, Phase::backward), backward, c.backward_op_seconds);
  add(many(2, 5), small_op(batch_norm_backward, Phase::backward), backward, c.backward_op_seconds + c.gradient_seconds);
  add(many(3, 4), small_op(conv_weight_grad, Phase::backward, 5), backward,
      c.backward_op_seconds + c.gradient_seconds + 4 * c.kernel_seconds);
  Op again = small_op(checkpoint, Phase::backward, 0, 10 + row % 20);
  again.recompute = true;
  add(many(2, 3), again, backward, c.recompute_seconds + (10 + row % 20) * c.saved_tensor_seconds);
  Op step = small_op(OpKind::optimizer, Phase::optimizer, 1, 10 + row % 50);
  step.passes = 1 + row % 4;
  if (row % 3 == 0) {
    step.impl = base::OptimizerImpl::loop;
    add(1, step, optimizer, static_cast<double>(step.passes * step.tensors) * c.optimizer_call_seconds);
  } else {
    add(1, step, optimizer,
        static_cast<double>(step.passes) * c.optimizer_pass_seconds +
            static_cast<double>(step.tensors) * c.optimizer_tensor_seconds);
  }
  add(many(1, 2), small_op(grad_unscale, Phase::optimizer), optimizer, c.scaler_seconds);
  sample.forward = base::Seconds(forward);
  sample.backward = base::Seconds(backward);
  sample.optimizer = base::Seconds(optimizer);
  sample.step = base::Seconds(forward + backward + optimizer);
  return sample;
}

HostCosts fitted_host(const std::vector<StepSample>& steps) {
  Calibration calibration;
  fit_host_speed(steps, calibration);
  fit_host(steps, round_gpu(), calibration);
  return calibration.host;
}

/// The same rows, as if a GPU that waits for the host had been timed.
StepSample on_gpu(StepSample sample) {
  sample.on_host = false;
  return sample;
}

/// Rows that would spoil any fit that they count in.
StepSample spoilt(StepSample sample, double factor = 3.0) {
  for (base::Seconds* part : {&sample.forward, &sample.backward, &sample.optimizer, &sample.step}) {
    *part = *part * factor;
  }
  return sample;
}

constexpr std::array kCosts{&HostCosts::step_seconds,
                            &HostCosts::forward_op_seconds,
                            &HostCosts::unrecorded_share,
                            &HostCosts::cast_seconds,
                            &HostCosts::backward_seconds,
                            &HostCosts::backward_op_seconds,
                            &HostCosts::gradient_seconds,
                            &HostCosts::kernel_seconds,
                            &HostCosts::checkpoint_seconds,
                            &HostCosts::recompute_seconds,
                            &HostCosts::saved_tensor_seconds,
                            &HostCosts::optimizer_pass_seconds,
                            &HostCosts::optimizer_tensor_seconds,
                            &HostCosts::optimizer_call_seconds,
                            &HostCosts::scaler_seconds};

void check_costs(const HostCosts& found) {
  for (std::size_t i = 0; i < kCosts.size(); ++i) {
    CAPTURE(i);
    CHECK(found.*kCosts[i] == Approx(costs_to_find().*kCosts[i]).epsilon(0.1));
  }
}

}  // namespace

TEST_CASE("all costs of a host are found in rows that ask for more or less of each") {
  std::vector<StepSample> steps;
  for (int row = 0; row < 40; ++row) {
    steps.push_back(host_row(row));
  }
  for (int row = 0; row < 40; ++row) {  // kept for ranges, tried by cuDNN, or too long to wait for the host
    steps.push_back(spoilt(host_row(row)));
    (row % 2 == 0 ? steps.back().for_ranges : steps.back().chosen_by_trial) = true;
    steps.push_back(spoilt(host_row(row)));
    steps.back().step = base::Seconds(0.0301);
    steps.push_back(on_gpu(spoilt(host_row(row))));  // says nothing where hosts were timed
  }
  check_costs(fitted_host(steps));
}

TEST_CASE("rows that are far off, either way, say little of a host") {
  for (const double odd : {0.1, 10.0}) {
    std::vector<StepSample> steps;
    for (std::size_t row = 0; row < 22; ++row) {
      StepSample sample;
      sample.on_host = true;
      sample.ops.assign(4 + 2 * row, small_op(relu_forward, Phase::forward));
      const double factor = row % 11 == 5 ? odd : 1.0;
      sample.step = sample.forward = base::Seconds(factor * (150e-6 + 40e-6 * static_cast<double>(4 + 2 * row)));
      steps.push_back(sample);
    }
    const Op op = small_op(relu_forward, Phase::forward);
    Calibration found;
    found.host = fitted_host(steps);
    const double seconds = step_time(std::vector(60, op), round_gpu(), found).host_busy.value.count();
    CHECK(seconds == Approx(150e-6 + 60 * 40e-6).epsilon(0.06));
  }
}

TEST_CASE("without rows of hosts those of GPUs that wait for them tell the costs") {
  std::vector<StepSample> steps;
  for (int row = 0; row < 40; ++row) {
    steps.push_back(on_gpu(host_row(row)));
    steps.push_back(on_gpu(spoilt(host_row(row))));
    (row % 2 == 0 ? steps.back().for_ranges : steps.back().chosen_by_trial) = true;
  }
  check_costs(fitted_host(steps));
  SECTION("and without any they are those of a server of today, between a microsecond and a millisecond") {
    Calibration calibration;
    calibration.host.gap_seconds = 2e-6;  // of another fit
    fit_host({}, round_gpu(), calibration);
    CHECK(calibration.host.gap_seconds == 2e-6);
    for (const auto cost : kCosts) {
      const double unit = cost == &HostCosts::unrecorded_share ? 1.0 : 1e-3;
      CHECK(calibration.host.*cost > 1e-3 * unit);
      CHECK(calibration.host.*cost < unit);
    }
    CHECK(calibration.host.busy_share > 0.0);
    CHECK(calibration.host.busy_share < 1.0);
  }
}

TEST_CASE("a step counts as four of its phases, whichever these are") {
  for (const OpKind kind : {relu_forward, relu_backward, OpKind::optimizer}) {
    StepSample sample;
    const Phase phase = kind == relu_forward    ? Phase::forward
                        : kind == relu_backward ? Phase::backward
                                                : Phase::optimizer;
    sample.ops.assign(10, small_op(kind, phase));
    sample.on_host = true;
    sample.step = base::Seconds(1.2e-3);  // a fifth more than its only phase
    (phase == Phase::forward    ? sample.forward
     : phase == Phase::backward ? sample.backward
                                : sample.optimizer) = base::Seconds(1e-3);
    Calibration found;
    fit_host(std::vector(3, sample), round_gpu(), found);
    const StepTime time = step_time(sample.ops, round_gpu(), found);
    CHECK(time.host_busy.value.count() > 1.1e-3);
    CHECK(time.host_busy.value.count() < 1.19e-3);
  }
}

TEST_CASE("what launches cost beside a busy GPU is found in steps whose host's speed is known") {
  std::vector<StepSample> steps;
  for (int row = 0; row < 10; ++row) {
    steps.push_back(host_row(row));
    steps.back().host_operation = base::Seconds(10e-6);
    // Ops of 48 us on the GPU, each of which the host starts in 40 us and four fifths of these.
    StepSample busy;
    const Op op = relu(4'000'000);
    busy.ops.assign(static_cast<std::size_t>(50 + row), op);
    const double kernel = op_seconds(op, round_gpu(), {}).count();
    const double seconds = 150e-6 + static_cast<double>(50 + row) * (40e-6 + 0.8 * kernel);
    busy.step = busy.forward = base::Seconds(seconds);
    busy.host_operation = base::Seconds(10e-6);
    steps.push_back(busy);
    busy.host_operation = base::Seconds(0.0);
    steps.push_back(spoilt(busy, 1.3));
    busy.host_operation = base::Seconds(10e-6);
    steps.push_back(spoilt(busy, 1.3));
    steps.back().for_ranges = true;
  }
  CHECK(fitted_host(steps).busy_share == Approx(0.8).epsilon(0.1));
}

TEST_CASE("a host's speed is half way between the ends of those that are known") {
  std::vector<StepSample> steps(60);
  for (int i = 0; i <= 100; ++i) {
    StepSample step;
    step.host_operation = base::Seconds(1e-6 * (100 + (i * 37) % 101));  // 100 to 200 us, in no order
    steps.push_back(step);
  }
  Calibration calibration;
  fit_host_speed(steps, calibration);
  CHECK(calibration.host_speed.low == Approx(102e-6));
  CHECK(calibration.host_speed.high == Approx(198e-6));
  CHECK(calibration.host_speed.operation == Approx(std::sqrt(102.0 * 198.0) * 1e-6));
  Calibration unknown;
  fit_host_speed(std::vector<StepSample>(3), unknown);
  CHECK(unknown.host_speed == HostSpeed{});
}

}  // namespace vggplan::timing
