// SPDX-License-Identifier: MIT
// How far a step may lie from the model, and what its figures add up to.
#include "timing/spread.hpp"

#include "timing/host.hpp"
#include "timing/rates.hpp"
#include "unit/timing/fixtures.hpp"
#include "vggplan/timing/step_time.hpp"

namespace vggplan::timing {
namespace {

/// ReLU was measured, convolutions of 64 channels were as well, the GPU decides.
Calibration spread_calibration() {
  Calibration calibration = round_calibration();
  calibration.curves.push_back({classify(convolution(OpKind::conv_forward, {1, 64, 64, 8, 8})), 10.0, 2.0, {0.5}});
  calibration.spread = {0.9, 1.2};
  calibration.spread_fp32 = {0.5, 3.0};
  return calibration;
}

/// Ends of the range as factors.
std::pair<double, double> range_of(const StepTime& time) {
  return {time.step.low.count() / time.step.value.count(), time.step.high.count() / time.step.value.count()};
}

}  // namespace

TEST_CASE("the part that was not measured widens the range: a fifth of it downwards, half of it upwards") {
  const Calibration calibration = spread_calibration();
  const double relu_seconds = 1e-6 + 8e-3;
  const Op known = relu(100'000'000);
  Op guessed = known;
  guessed.stands_in = true;
  for (const auto& [knowns, guesses] :
       {std::pair{1, 0}, std::pair{19, 2}, std::pair{9, 2}, std::pair{1, 1}, std::pair{0, 3}}) {
    std::vector<Op> ops(static_cast<std::size_t>(knowns), known);
    ops.insert(ops.end(), static_cast<std::size_t>(guesses), guessed);
    const double part = static_cast<double>(guesses) / (knowns + guesses);
    for (const bool trial : {false, true}) {
      const StepTime time = step_time(ops, round_gpu(), calibration, {1, trial});
      CAPTURE(knowns, guesses);
      CHECK(time.step.value.count() == Approx((knowns + guesses) * relu_seconds));
      CHECK(range_of(time).first == Approx(0.9 * (1.0 - 0.2 * part) - (trial ? 0.06 : 0.0)));
      CHECK(range_of(time).second == Approx(1.2 * (1.0 + 0.5 * part)));
      CHECK((time.step.basis == base::Basis::modelled) == (part > 0.1));
    }
  }
}

TEST_CASE("a step with a convolution that really runs in fp32 has the range of those") {
  const auto kind = [](OpKind of, base::MathMode math, const hardware::Gpu& gpu) {
    const Op op = make_op(of, math, base::DType::f32, base::Layout::nhwc, {1, 64, 64, 8, 8});
    return spread_kind(std::vector<Op>{relu(1), op}, gpu);
  };
  hardware::Gpu old = round_gpu();
  old.tf32_tensor.reset();
  using base::MathMode;
  CHECK(kind(OpKind::conv_forward, MathMode::fp32, round_gpu()) == &Calibration::spread_fp32);
  CHECK(kind(OpKind::conv_forward, MathMode::tf32, round_gpu()) == &Calibration::spread);
  CHECK(kind(OpKind::conv_forward, MathMode::tf32, old) == &Calibration::spread_fp32);
  CHECK(kind(OpKind::linear_forward, MathMode::fp32, round_gpu()) == &Calibration::spread);
  CHECK(range_of(step_time(std::vector<Op>{make_op(OpKind::conv_forward, MathMode::fp32, base::DType::f32,
                                                   base::Layout::nhwc, {64, 64, 64, 512, 512})},
                           round_gpu(), spread_calibration()))
            .second >= 3.0);
}

TEST_CASE("kernels that waver are input gradients of up to 40 channels in 16 bits, below 2.4 million pixels") {
  const auto of = [](std::int64_t n, std::int64_t c, std::int64_t k, double seconds,
                     OpKind kind = OpKind::conv_input_grad, DType type = DType::bf16, Layout layout = Layout::nchw) {
    return wavering(make_op(kind, MathMode::bf16, type, layout, {n, c, k, 100, 300}), seconds);
  };
  CHECK(of(1, 8, 40, 1e-6).slow == Approx(0.2e-9 * 40 * 30'000));
  CHECK(of(1, 40, 8, 1e-6).slow == Approx(0.2e-9 * 40 * 30'000));
  CHECK(of(1, 8, 40, 1e-6).seconds == 1e-6);
  CHECK(of(1, 8, 40, 1.0).slow == 1.0);  // never faster than it is modelled
  CHECK(of(1, 8, 41, 1e-6).slow == 0.0);
  CHECK(of(79, 8, 8, 1e-6).slow > 0.0);
  CHECK(of(80, 8, 8, 1e-6).slow == 0.0);
  CHECK(of(80, 8, 8, 1e-6).seconds == 0.0);
  CHECK(of(1, 8, 8, 1e-6, OpKind::conv_forward).slow == 0.0);
  CHECK(of(1, 8, 8, 1e-6, OpKind::conv_input_grad, DType::f32).slow == 0.0);
  CHECK(of(1, 8, 8, 1e-6, OpKind::conv_input_grad, DType::bf16, Layout::nhwc).slow == 0.0);
}

TEST_CASE("a step with kernels that waver may take as long as the slow ones, once for every micro-batch") {
  Calibration calibration = round_calibration();
  calibration.spread = {1.0, 1.0};
  const Op wavers = make_op(OpKind::conv_input_grad, base::MathMode::bf16, base::DType::bf16, base::Layout::nchw,
                            {1, 32, 32, 512, 512});
  calibration.curves.push_back({classify(wavers), 10.0, 2.0, {0.5}});
  calibration.streams.push_back(
      {turning_of(base::DType::bf16), 0.0, base::BytesPerSecond(1e12), base::BytesPerSecond(1e12)});
  sort_by_shape(calibration);
  const double fast = op_seconds(wavers, round_gpu(), calibration).count();
  const double slow = 0.2e-9 * 32 * 512 * 512;
  for (const std::int64_t micro_batches : {1, 3}) {
    const auto n = static_cast<double>(micro_batches);
    std::vector<Op> ops{relu(100'000'000), wavers};
    const StepTime time = step_time(ops, round_gpu(), calibration, {micro_batches, false});
    CHECK(time.step.high.count() - time.step.value.count() == Approx(n * (slow - fast)));
    CHECK(time.step.value.count() - time.step.low.count() == Approx(0.75 * n * fast));
  }
}

TEST_CASE("what the GPU and the host do are sums over all that a step starts") {
  Calibration calibration = round_calibration();
  calibration.host.step_seconds = 1e-4;
  calibration.host.forward_op_seconds = 2e-6;
  calibration.host.backward_op_seconds = 3e-6;
  calibration.host.optimizer_tensor_seconds = 5e-6;
  calibration.host.gap_seconds = 1e-6;
  calibration.host_speed = {10e-6, 5e-6, 20e-6};
  calibration.spread_host = {0.9, 1.2};
  std::vector<Op> ops{relu(100'000'000), relu(100'000'000, base::Phase::backward),
                      relu(100'000'000, base::Phase::backward), relu(1000, base::Phase::optimizer)};
  ops[2].after_first = true;
  ops.push_back(make_optimizer(base::DType::f32, base::OptimizerImpl::foreach, 1000, 4, {1, 2, 1}));
  ops.back().phase = base::Phase::optimizer;
  const double kernel = 1e-6 + 8e-3 + 1e-6;  // with its gap
  const double last = 2e-6 + 8e3 / 1e12 + op_seconds(ops.back(), round_gpu(), calibration).count() + 1e-6;
  for (const std::int64_t n : {1, 2, 7}) {
    const auto times = static_cast<double>(n);
    const StepTime time = step_time(ops, round_gpu(), calibration, {n, false});
    CHECK(time.device_busy.count() == Approx((3 * times - 1) * kernel + last));
    const double host = 1e-4 + times * (2e-6 + 3e-6) + (times - 1) * 3e-6 + 4 * 5e-6;
    CHECK(time.host_busy.value.count() == Approx(host));
    // Hosts of 5 and 20 us where the middle is 10: factors of 0.7 and 1.6.
    CHECK(time.host_busy.low.count() == Approx(host * 0.7 * 0.9));
    CHECK(time.host_busy.high.count() == Approx(host * 1.6 * 1.2));
    REQUIRE(time.host_operation);
    CHECK(time.host_operation->low.count() == 5e-6);
    CHECK(time.host_operation->value.count() == 10e-6);
    CHECK(time.host_operation->high.count() == 20e-6);
  }
  calibration.host_speed = {};
  CHECK_FALSE(step_time(ops, round_gpu(), calibration).host_operation);
}

TEST_CASE("each phase has a range of its own, that of the GPU where this decides") {
  const std::vector<Op> ops{relu(100'000'000), relu(300'000'000, base::Phase::backward),
                            relu(700'000'000, base::Phase::optimizer)};
  const StepTime time = step_time(ops, round_gpu(), spread_calibration());
  double kernels = 1.0;
  for (const auto& part : {time.forward, time.backward, time.optimizer}) {
    CHECK(part.value.count() == Approx(1e-6 + kernels * 8e-3));
    CHECK(part.low.count() == Approx(0.9 * part.value.count()));
    CHECK(part.high.count() == Approx(1.2 * part.value.count()));
    kernels = 2.0 * kernels + 1.0;
  }
}

TEST_CASE("layers have the time of their forward and their backward, and none where an op belongs to none") {
  std::vector<Op> ops{relu(100'000'000), relu(100'000'000, base::Phase::backward), relu(100'000'000)};
  ops[0].layer = 2;
  ops[1].layer = 0;
  ops[1].after_first = true;
  const StepTime time = step_time(ops, round_gpu(), round_calibration(), {3, false});
  const double kernel = 1e-6 + 8e-3;
  REQUIRE(time.layers.size() == 3);
  CHECK(time.layers[2].forward.count() == Approx(3 * kernel));
  CHECK(time.layers[2].backward.count() == 0.0);
  CHECK(time.layers[0].backward.count() == Approx(2 * kernel));
  CHECK(time.layers[0].forward.count() == 0.0);
  CHECK(time.layers[1].forward.count() == 0.0);
}

TEST_CASE("a step that is repeated takes all of its times so often, and is as sure") {
  std::vector<Op> ops{relu(100'000'000), relu(100'000'000, base::Phase::backward), relu(10, base::Phase::optimizer)};
  ops[0].layer = 0;
  ops[1].layer = 0;
  Calibration calibration = round_calibration();
  calibration.host.step_seconds = 1e-4;
  const StepTime once = step_time(ops, round_gpu(), calibration);
  const StepTime same = repeated(once, 1);
  const StepTime more = repeated(once, 5);
  for (const auto part :
       {&StepTime::step, &StepTime::forward, &StepTime::backward, &StepTime::optimizer, &StepTime::host_busy}) {
    const auto& a = once.*part;
    const auto& b = more.*part;
    CHECK(same.*part == a);
    CHECK(b.value.count() == Approx(5 * a.value.count()));
    CHECK(b.low.count() == Approx(5 * a.low.count()));
    CHECK(b.high.count() == Approx(5 * a.high.count()));
    CHECK(b.basis == a.basis);
  }
  CHECK(more.device_busy.count() == Approx(5 * once.device_busy.count()));
  CHECK(more.layers[0].forward.count() == Approx(5 * once.layers[0].forward.count()));
  CHECK(more.layers[0].backward.count() == Approx(5 * once.layers[0].backward.count()));
}

TEST_CASE("the GPU waits for the host where it is idle for a twentieth of what it does") {
  CHECK(waits_for_host(1.06, 1.0));
  CHECK_FALSE(waits_for_host(1.04, 1.0));
  CHECK(widened(Spread{1.0, 1.0}, Wavering{}, 0.0) == Spread{1.0, 1.0});  // of nothing
}

}  // namespace vggplan::timing
