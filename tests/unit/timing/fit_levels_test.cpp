// SPDX-License-Identifier: MIT
// Made-up steps, from levels that are known: the fit gives them back, and steps that must not count do not.
#include <algorithm>
#include <cmath>

#include "timing/fit.hpp"
#include "timing/host.hpp"
#include "timing/rates.hpp"
#include "unit/timing/fixtures.hpp"

namespace vggplan::timing {
namespace {

using enum OpKind;

struct Group {
  OpKind kind{};
  DType type{};
  Layout layout{Layout::nhwc};
};

MathMode math_of(DType type) { return type == DType::f32 ? MathMode::tf32 : MathMode::bf16; }

/// An op of a group, of so many pixels.
Op op_in(const Group& group, std::int64_t pixels) {
  const Extent extent = group.kind == cast ? Extent{pixels * 512, 1, 1, 1, 1} : Extent{2, 64, 64, 1, pixels};
  return make_op(group.kind, math_of(group.type), group.type, group.layout, extent);
}

/// Half of the roofline, or 5e11 bytes a second, for every op of these tests.
Calibration at_half_speed() {
  Calibration calibration;
  calibration.gpu = "round";
  const base::BytesPerSecond rate(5e11);
  for (const DType type : {DType::f32, DType::bf16}) {
    for (const OpKind kind : {conv_forward, conv_input_grad, conv_weight_grad, bias_grad, max_pool_forward}) {
      calibration.curves.push_back({classify(op_in({kind, type}, 100)), 10.0, 2.0, {0.5, 0.5}});
    }
    calibration.streams.push_back({classify(op_in({cast, type}, 100)), 0.0, rate, rate});
    calibration.streams.push_back({turning_of(type), 0.0, rate, rate});
  }
  calibration.streams.push_back({classify(relu(1)), 0.0, rate, rate});
  sort_by_shape(calibration);
  return calibration;
}

base::Phase phase_of(OpKind kind) {
  return kind == conv_input_grad || kind == conv_weight_grad || kind == bias_grad ? base::Phase::backward
                                                                                  : base::Phase::forward;
}

/// Of a group, what takes so many seconds at half speed.
Op op_of_seconds(const Group& group, double seconds) {
  const double each = op_seconds(op_in(group, 1'000'000), round_gpu(), at_half_speed()).count() / 1e6;
  Op op = op_in(group, static_cast<std::int64_t>(seconds / each) / 32 * 32);
  op.phase = phase_of(group.kind);
  return op;
}

/// Steps of 20 ms at half speed: convolutions of 32 bits, and between a fifth and seven tenths of `group`, which takes
/// `factor` of that. Copies around it take `copies` of it.
std::vector<StepSample> steps_of(const Group& group, double factor, double copies = 1.0) {
  std::vector<StepSample> steps;
  const Calibration calibration = at_half_speed();
  const bool back = phase_of(group.kind) == base::Phase::backward;
  for (int row = 0; row < 160; ++row) {
    const double part = std::array{0.2, 0.4, 0.6, 0.7}.at(static_cast<std::size_t>(row % 4));
    StepSample step;
    step.ops = {op_of_seconds({back ? conv_weight_grad : conv_forward, DType::f32}, (1.0 - part) * 0.02),
                op_of_seconds(group, part * 0.02)};
    const double turned = copy_seconds(step.ops[1], round_gpu(), calibration);
    const double seconds = op_seconds(step.ops[0], round_gpu(), calibration).count() + copies * turned +
                           factor * (op_seconds(step.ops[1], round_gpu(), calibration).count() - turned) +
                           0.6e-6 * static_cast<double>(step.ops[0].kernels + step.ops[1].kernels);
    (back ? step.backward : step.forward) = base::Seconds(seconds);
    step.step = base::Seconds(seconds);
    steps.push_back(step);
  }
  return steps;
}

/// By which factor the fit makes an op of a group longer.
double fitted_factor(const Group& group, const std::vector<StepSample>& steps) {
  Calibration calibration = at_half_speed();
  fit_levels(steps, round_gpu(), calibration);
  const Op op = op_in(group, 1'000'000);
  return op_seconds(op, round_gpu(), calibration).count() / op_seconds(op, round_gpu(), at_half_speed()).count();
}

}  // namespace

TEST_CASE("each group of ops gets the level that its steps show, and no other group does") {
  const std::vector<Group> groups{{conv_forward, DType::f32},  {conv_input_grad, DType::f32},
                                  {conv_forward, DType::bf16}, {conv_input_grad, DType::bf16},
                                  {cast, DType::f32},          {cast, DType::bf16},
                                  {bias_grad, DType::f32}};
  for (const Group& group : groups) {
    CAPTURE(base::name_of_enum(group.kind), base::size_of(group.type));
    for (const double factor : {0.9, 1.0, 1.2}) {
      // Gradients of 32 bits have one level, whether that of weights or of inputs.
      const bool all = group.kind != cast && group.kind != bias_grad && group.type == DType::f32;
      std::vector<StepSample> steps = steps_of(group, factor);
      if (all) {
        for (StepSample& step : steps) {
          step.ops.erase(step.ops.begin());
          step.step = base::Seconds(factor * op_seconds(step.ops[0], round_gpu(), at_half_speed()).count());
          (group.kind == conv_forward ? step.forward : step.backward) = step.step;
        }
      }
      CHECK(fitted_factor(group, steps) == Approx(factor).epsilon(0.015));
      const double forward = all && group.kind == conv_forward ? factor : 1.0;
      const double backward = all && group.kind != conv_forward ? factor : 1.0;
      CHECK(fitted_factor({conv_weight_grad, DType::f32}, steps) == Approx(backward).epsilon(0.015));
      CHECK(fitted_factor({conv_forward, DType::f32}, steps) == Approx(forward).epsilon(0.015));
      CHECK(fitted_factor({max_pool_forward, DType::f32}, steps) == 1.0);
      CHECK(fitted_factor({cast, DType::f32}, steps) == Approx(group.kind == cast ? factor : 1.0).epsilon(0.015));
      CHECK(fitted_factor({bias_grad, DType::f32}, steps) ==
            Approx(group.kind == bias_grad ? factor : 1.0).epsilon(0.015));
    }
  }
}

TEST_CASE("turning has a level by size of element, and the gap between kernels is found the same way") {
  for (const DType type : {DType::f32, DType::bf16}) {
    const Group contiguous{conv_forward, type, Layout::nchw};
    Calibration calibration = at_half_speed();
    fit_levels(steps_of(contiguous, 1.0, 1.3), round_gpu(), calibration);
    for (const DType other : {DType::f32, DType::bf16}) {
      const Op op = op_in({conv_forward, other, Layout::nchw}, 1'000'000);
      const double copies = copy_seconds(op, round_gpu(), at_half_speed());
      CHECK(copy_seconds(op, round_gpu(), calibration) ==
            Approx((other == type ? 1.3 : 1.0) * copies).epsilon(other == type ? 0.1 : 0.03));
    }
  }
  // So many kernels that their gaps are a good part of the step.
  std::vector<StepSample> steps = steps_of({conv_forward, DType::bf16}, 1.0);
  for (StepSample& step : steps) {
    step.ops[1].kernels = &step - steps.data() < 80 ? 2000 : 20'000;
    step.forward += base::Seconds(0.9e-6 * static_cast<double>(step.ops[1].kernels));
    step.step = step.forward;
  }
  Calibration calibration = at_half_speed();
  fit_levels(steps, round_gpu(), calibration);
  CHECK(calibration.host.gap_seconds == Approx(0.9e-6).epsilon(0.02));
  fit_levels({}, round_gpu(), calibration);
  CHECK(calibration.host.gap_seconds == Approx(0.6e-6));
}

TEST_CASE("levels are read from phases that last, compute and were timed on their own") {
  const Group group{conv_forward, DType::bf16};
  const auto with = [&](auto change) {
    std::vector<StepSample> steps = steps_of(group, 1.2);
    std::for_each(steps.begin(), steps.end(), change);
    return fitted_factor(group, steps);
  };
  const auto nothing = [](StepSample&) {};
  CHECK(with(nothing) == Approx(1.2).epsilon(0.015));
  CHECK(with([](StepSample& step) { step.chosen_by_trial = true; }) == 1.0);
  const auto shortened = [](double seconds) {
    return [seconds](StepSample& step) { step.forward = step.step = base::Seconds(seconds); };
  };
  CHECK(with(shortened(0.0039)) == 1.0);
  CHECK(with(shortened(0.0041)) != 1.0);
  // On an idle GPU the first kernels come late: what phases have more than the step is that.
  CHECK(with([](StepSample& step) {
          step.forward += base::Seconds(0.001);
          step.backward = step.optimizer = base::Seconds(0.002);
          step.step += base::Seconds(0.004);
        }) == Approx(1.2).epsilon(0.015));
  CHECK(with([](StepSample& step) { step.step += base::Seconds(1.0); }) == Approx(1.2).epsilon(0.015));
  // Another 80 % of something that is no convolution, and a bit more of it: these tell no more.
  const auto besides = [](double times) {
    return [times](StepSample& step) {
      const double convolutions = step.forward.count() / 1.1;
      step.ops.push_back(relu(static_cast<std::int64_t>(times * convolutions * 5e11 / 8)));
      step.forward = step.step = base::Seconds(step.forward.count() + times * convolutions);
    };
  };
  CHECK(with(besides(3.4)) != 1.0);
  CHECK(with(besides(4.6)) == 1.0);
  // Casts are no convolutions.
  std::vector<StepSample> casts = steps_of({cast, DType::f32}, 1.2);
  for (StepSample& step : casts) {
    step.ops[1] = op_of_seconds({cast, DType::f32}, 0.2);
    step.forward = step.step = base::Seconds(0.25);
  }
  CHECK(fitted_factor({cast, DType::f32}, casts) == 1.0);
  // One step alone pulls less, and a few that are far off hardly at all.
  const std::vector<StepSample> few{steps_of(group, 1.2).at(3)};
  CHECK(fitted_factor(group, few) > 1.02);
  CHECK(fitted_factor(group, few) < 1.16);
  std::vector<StepSample> odd = steps_of(group, 1.2);
  for (std::size_t i = 0; i < odd.size(); i += 10) {
    odd[i].forward = odd[i].step = base::Seconds(2.0 * odd[i].forward.count());
  }
  CHECK(fitted_factor(group, odd) == Approx(1.2).epsilon(0.03));
  // Optimizers are no part of it.
  CHECK(with([](StepSample& step) {
          step.ops.push_back(op_in({conv_forward, DType::f32}, 9'000'000));
          step.ops.back().phase = base::Phase::optimizer;
        }) == Approx(1.2).epsilon(0.015));
}

TEST_CASE("true fp32 and Linear layers: the first has no level, the others are reductions") {
  const auto factor = [](const Op& op, const std::vector<StepSample>& steps) {
    Calibration calibration = at_half_speed();
    calibration.curves.push_back({classify(op), 10.0, 2.0, {0.5}});
    sort_by_shape(calibration);
    const double before = op_seconds(op, round_gpu(), calibration).count();
    fit_levels(steps, round_gpu(), calibration);
    return op_seconds(op, round_gpu(), calibration).count() / before;
  };
  const std::vector<StepSample> sums = steps_of({bias_grad, DType::f32}, 1.2);
  CHECK(factor(make_op(linear_forward, MathMode::fp32, DType::f32, Layout::nchw, {1, 64, 64, 1, 1}), sums) ==
        Approx(1.2).epsilon(0.015));
  const std::vector<StepSample> gradients = steps_of({conv_input_grad, DType::bf16}, 1.2);
  CHECK(factor(make_op(conv_input_grad, MathMode::fp32, DType::f32, Layout::nhwc, {9, 64, 64, 8, 8}), gradients) ==
        1.0);
}

}  // namespace vggplan::timing
