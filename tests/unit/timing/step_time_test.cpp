// SPDX-License-Identifier: MIT
#include "vggplan/timing/step_time.hpp"

#include "timing/host.hpp"
#include "timing/kernel_work.hpp"
#include "unit/timing/fixtures.hpp"

namespace vggplan::timing {
namespace {

double seconds(const std::vector<Op>& ops, const Calibration& calibration, const StepOptions& options = {}) {
  return step_time(ops, round_gpu(), calibration, options).step.value.count();
}

}  // namespace

TEST_CASE("a streaming op takes its start and its bytes at the rate of cache or memory") {
  const Calibration calibration = round_calibration();
  // In place: 1e6 floats are 4 MB touched (in a cache of 10 MB) and 8 MB moved.
  CHECK(op_seconds(relu(1'000'000), round_gpu(), calibration).count() == Approx(1e-6 + 8e6 / 1e12));
  CHECK(op_seconds(relu(100'000'000), round_gpu(), calibration).count() == Approx(1e-6 + 8e8 / 1e11));
}

TEST_CASE("additions of an adaptive pool that meet at one pixel are tried again in 16 bits") {
  const auto work = [](base::DType type, std::int64_t side, base::Layout layout) {
    const Op op = make_op(OpKind::avg_pool_backward, base::MathMode::fp32, type, layout, {64, 512, 7, side, side});
    return kernel_bytes(op) / static_cast<double>(base::size_of(type));
  };
  // Measured (small_maps.jsonl): 64 images of one pixel take 80 times as long in bfloat16 as in float32; of 7 x 7,
  // where windows do not overlap, the same.
  const double one = work(base::DType::bf16, 1, base::Layout::nchw) / work(base::DType::f32, 1, base::Layout::nchw);
  CHECK(one > 60.0);
  CHECK(one < 100.0);
  CHECK(work(base::DType::bf16, 7, base::Layout::nchw) == Approx(work(base::DType::f32, 7, base::Layout::nchw)));
  // channels_last gathers instead: what it reads and writes.
  CHECK(work(base::DType::bf16, 1, base::Layout::nhwc) == Approx(64.0 * 512.0 * 50.0));
}

TEST_CASE("slowed down, every op and every step takes that many times as long, whatever decides it") {
  Calibration calibration = round_calibration();
  const Op conv = convolution(OpKind::conv_forward, {8, 64, 64, 56, 56});
  calibration.curves.push_back({classify(conv), 20, 2.0, {0.3, 0.6}});
  calibration.host.step_seconds = 1e-4;
  calibration.host.forward_op_seconds = 2e-5;
  calibration.host.gap_seconds = 1e-6;
  Calibration slowed = calibration;
  slow_down(slowed, 1.7);
  for (const Op& op : {relu(100), relu(10'000'000), relu(1'000'000'000), conv}) {
    CHECK(op_seconds(op, round_gpu(), slowed).count() ==
          Approx(1.7 * op_seconds(op, round_gpu(), calibration).count()));
    for (const std::size_t ops : {std::size_t{1}, std::size_t{9}}) {
      const std::vector<Op> step(ops, op);
      CHECK(seconds(step, slowed) == Approx(1.7 * seconds(step, calibration)));
    }
  }
}

TEST_CASE("where kernels are long a step takes their sum, where they are short it takes the host's time") {
  Calibration calibration = round_calibration();
  calibration.host = HostCosts{};
  calibration.host.forward_op_seconds = 20e-6;
  const std::vector<Op> longer(10, relu(100'000'000));
  CHECK(seconds(longer, calibration) == Approx(10 * (1e-6 + 8e-3)));
  const std::vector<Op> shorter(10, relu(1000));
  CHECK(seconds(shorter, calibration) == Approx(10 * 20e-6));
  SECTION("and a value that the host waits for empties the queue") {
    std::vector<Op> waiting = longer;
    waiting.push_back(make_op(OpKind::host_read, base::MathMode::fp32, base::DType::f32, base::Layout::nchw, {}));
    CHECK(seconds(waiting, calibration) > seconds(longer, calibration) + 19e-6);
  }
}

TEST_CASE("the host pays for each op by what it does for it") {
  HostCosts costs;
  costs.forward_op_seconds = 1;
  costs.unrecorded_share = 0.5;
  costs.cast_seconds = 10;
  costs.backward_op_seconds = 100;
  costs.gradient_seconds = 1000;
  costs.kernel_seconds = 1e4;
  costs.checkpoint_seconds = 1e5;
  costs.recompute_seconds = 1e6;
  costs.saved_tensor_seconds = 1e7;
  const auto paid = [&](OpKind kind, base::Phase phase, bool recompute = false) {
    Op op = make_op(kind, base::MathMode::fp32, base::DType::f32, base::Layout::nhwc, {1, 8, 8, 4, 4});
    op.phase = phase;
    op.recompute = recompute;
    op.tensors = 2;
    return host_seconds(op, costs, {});
  };
  using enum base::Phase;
  CHECK(paid(OpKind::relu_forward, forward) == 1);
  CHECK(paid(OpKind::conv_forward, forward) == 1 + 1e4);  // two kernels
  CHECK(paid(OpKind::bias_add, forward) == 1e4);          // within the call of the convolution
  CHECK(paid(OpKind::cast, forward) == 10);
  CHECK(paid(OpKind::relu_backward, backward) == 100);
  CHECK(paid(OpKind::batch_norm_backward, backward) == 1100);
  CHECK(paid(OpKind::relu_forward, backward, true) == 1);  // Python runs it again
  CHECK(paid(OpKind::checkpoint, forward) == 1e5 + 2e7);
  CHECK(paid(OpKind::checkpoint, backward, true) == 1e6 + 2e7);
  SECTION("less where autograd records nothing") {
    Op op = relu(100);
    op.records = false;
    CHECK(host_seconds(op, costs, {}) == 0.5);
  }
  SECTION("an addition of gradients what one addition takes, where that is known") {
    Op op =
        make_op(OpKind::grad_accumulate, base::MathMode::fp32, base::DType::f32, base::Layout::nhwc, {1, 8, 8, 4, 4});
    op.phase = backward;
    CHECK(host_seconds(op, costs, {3e-6, 2e-6, 4e-6}) == 3e-6);
    CHECK(host_seconds(op, costs, {}) == 1e4);
    op.kernels = 5;  // of several micro-batches: each tensor by itself
    CHECK(host_seconds(op, costs, {3e-6, 2e-6, 4e-6}) == Approx(15e-6));
  }
}

TEST_CASE("the loss that backward begins with starts autograd's engine") {
  HostCosts costs;
  costs.backward_seconds = 1.0;
  for (const auto& row : base::NameTable<OpKind>::table) {
    Op op = make_op(row.value, base::MathMode::fp32, base::DType::f32, base::Layout::nhwc, {1, 8, 8, 4, 4});
    op.phase = base::Phase::backward;
    CAPTURE(row.name);
    const bool first = row.name == "loss_backward" || row.name == "pixel_loss_backward" || row.name == "mse_backward";
    CHECK(host_seconds(op, costs, {}) == (first ? 1.0 : 0.0));
    op.recompute = true;
    CHECK(host_seconds(op, costs, {}) == 0.0);
  }
}

TEST_CASE("which ops hand gradients of parameters over, and which are kernels of another op's call") {
  HostCosts costs;
  costs.gradient_seconds = 100.0;
  costs.backward_op_seconds = 1.0;
  for (const auto& [kind, seconds] :
       {std::pair{OpKind::conv_weight_grad, 101.0}, std::pair{OpKind::linear_weight_grad, 101.0},
        std::pair{OpKind::layer_norm_backward, 101.0}, std::pair{OpKind::batch_norm_backward, 101.0},
        std::pair{OpKind::bias_grad, 0.0}, std::pair{OpKind::conv_input_grad, 0.0},
        std::pair{OpKind::linear_input_grad, 0.0}, std::pair{OpKind::multiply_reduce, 0.0},
        std::pair{OpKind::relu_backward, 1.0}, std::pair{OpKind::add, 1.0}}) {
    Op op = make_op(kind, base::MathMode::fp32, base::DType::f32, base::Layout::nhwc, {1, 8, 8, 4, 4});
    op.phase = base::Phase::backward;
    CHECK(host_seconds(op, costs, {}) == seconds);
  }
}

TEST_CASE("compiled code costs the host additions: of a call, of parameters, of launches, of results in training") {
  HostCosts costs;
  costs.kernel_seconds = 3.0;
  const auto additions = [&](OpKind kind, Launch launch, bool records) {
    Op op = make_op(kind, base::MathMode::fp32, base::DType::f32, base::Layout::nhwc, {1, 8, 8, 4, 4});
    op.launch = launch;
    op.records = records;
    op.tensors = 10;
    CHECK(host_seconds(op, costs, {}) == Approx(3.0 / 5.0 * host_seconds(op, costs, {5.0, 4.0, 6.0})));
    return host_seconds(op, costs, {5.0, 4.0, 6.0}) / 5.0;
  };
  for (const Launch launch : {Launch::compiled, Launch::graph}) {
    CHECK(additions(OpKind::compiled_call, launch, false) == Approx(28.0));
    CHECK(additions(OpKind::compiled_call, launch, true) == Approx(28.0 + 15.0));
  }
  CHECK(additions(OpKind::fused, Launch::compiled, false) == Approx(2.4));
  CHECK(additions(OpKind::fused, Launch::compiled, true) == Approx(3.0));
  CHECK(additions(OpKind::fused, Launch::graph, true) == 0.0);
}

TEST_CASE("an optimizer costs the host passes and tensors, in a loop each tensor in each pass") {
  HostCosts costs;
  costs.optimizer_pass_seconds = 1;
  costs.optimizer_tensor_seconds = 10;
  costs.optimizer_call_seconds = 100;
  const auto paid = [&](base::OptimizerImpl impl) {
    Op op = make_optimizer(base::DType::f32, impl, 1000, 4, {7, 11, 7});
    op.phase = base::Phase::optimizer;
    return host_seconds(op, costs, {});
  };
  CHECK(paid(base::OptimizerImpl::foreach) == 7 + 40);
  CHECK(paid(base::OptimizerImpl::loop) == 2800);
  costs.scaler_seconds = 1e4;
  const auto beside = [&](OpKind kind) {
    Op op = make_op(kind, base::MathMode::fp32, base::DType::f32, base::Layout::nhwc, {1, 8, 8, 4, 4});
    op.phase = base::Phase::optimizer;
    return host_seconds(op, costs, {});
  };
  CHECK(beside(OpKind::grad_unscale) == 1e4);
  CHECK(beside(OpKind::fill) == 0.0);
}

TEST_CASE("a slower host takes longer, three fifths of what its operations take longer") {
  const HostSpeed speed{10e-6, 8e-6, 15e-6};
  CHECK(host_factor(10e-6, speed) == Approx(1.0));
  CHECK(host_factor(20e-6, speed) == Approx(1.6));
  CHECK(host_factor(0.0, speed) == 1.0);  // unknown
  CHECK(host_factor(20e-6, {}) == 1.0);
}

TEST_CASE("the range is that of the GPU, that of hosts, or near the border of both") {
  Calibration calibration = round_calibration();
  calibration.spread = {0.95, 1.05};
  calibration.spread_host = {0.9, 1.2};
  calibration.host_speed = {10e-6, 5e-6, 15e-6};  // factors of 0.7 and 1.3
  const double kernel = op_seconds(relu(10'000'000), round_gpu(), calibration).count();
  const std::vector<Op> ops(10, relu(10'000'000));
  const auto with_host = [&](double share) {
    calibration.host = HostCosts{};
    calibration.host.forward_op_seconds = share * kernel;
    return step_time(ops, round_gpu(), calibration);
  };
  const auto ends = [](const StepTime& time) {
    return std::pair{time.step.low.count() / time.step.value.count(), time.step.high.count() / time.step.value.count()};
  };
  CHECK(ends(with_host(0.1)).first == Approx(0.95));
  CHECK(ends(with_host(0.1)).second == Approx(1.05));
  CHECK_FALSE(with_host(0.1).host_decides);
  CHECK(ends(with_host(5.0)).first == Approx(0.7 * 0.9));
  CHECK(ends(with_host(5.0)).second == Approx(1.3 * 1.2));
  CHECK(with_host(5.0).host_decides);
  // The GPU decides, by a hair; a slower host would.
  CHECK(ends(with_host(0.99)).first == Approx(0.95));
  CHECK(ends(with_host(0.99)).second == Approx(0.99 * 1.3 * 1.2));
}

TEST_CASE("micro-batches add up, and the optimizer comes once") {
  Calibration calibration = round_calibration();
  std::vector<Op> ops{relu(100'000'000), relu(100'000'000, base::Phase::backward),
                      relu(100'000'000, base::Phase::optimizer)};
  const double one = 1e-6 + 8e-3;
  for (const std::int64_t n : {1, 2, 3, 4, 50}) {
    CHECK(seconds(ops, calibration, {n, false}) == Approx((2.0 * static_cast<double>(n) + 1.0) * one));
  }
  const StepTime time = step_time(ops, round_gpu(), calibration, {50, false});
  CHECK(time.forward.value.count() == Approx(50 * one));
  CHECK(time.optimizer.value.count() == Approx(one));
  CHECK(time.device_busy.count() == Approx(101 * one));
}

}  // namespace vggplan::timing
