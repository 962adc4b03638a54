// SPDX-License-Identifier: MIT
#include "vggplan/timing/step_time.hpp"

#include <cmath>

#include "support/catch.hpp"
#include "timing/queue.hpp"
#include "timing/rates.hpp"
#include "unit/timing/fixtures.hpp"

namespace {

using namespace vggplan;
using namespace vggplan::timing;
using Catch::Detail::Approx;

double seconds(const std::vector<Op>& ops, const Calibration& calibration, const StepOptions& options = {}) {
  return step_time(ops, round_gpu(), calibration, options).step.value.count();
}

}  // namespace

TEST_CASE("a streaming op takes its start and its bytes at the rate of cache or memory") {
  const Calibration calibration = round_calibration();
  // In place: 1e6 floats are 4 MB touched (in a cache of 10 MB) and 8 MB moved.
  CHECK(op_seconds(relu(1'000'000), round_gpu(), calibration).count() == Approx(1e-6 + 8e6 / 1e12));
  CHECK(op_seconds(relu(100'000'000), round_gpu(), calibration).count() == Approx(1e-6 + 8e8 / 1e11));
  SECTION("between seven tenths of the cache and all of it the two mix") {
    CHECK(cached_share(7e6, base::Bytes(10'000'000)) == Approx(1.0));
    CHECK(cached_share(8.5e6, base::Bytes(10'000'000)) == Approx(0.5));
    CHECK(cached_share(1e7, base::Bytes(10'000'000)) == Approx(0.0));
  }
}

TEST_CASE("a curve gives the share of the roofline between its nodes on straight lines of logarithms") {
  const Op op = convolution(OpKind::conv_forward, {1, 512, 512, 64, 64});
  Calibration calibration;
  calibration.curves.push_back({classify(op), 10.0, 2.0, {0.25, 0.5, 0.5}});
  const double roofline = op.flops.as_double() / 1e14;
  // 64 * 64 pixels are 12 octaves: the second node.
  CHECK(roofline_seconds(op, round_gpu()) == Approx(roofline));
  CHECK(op_seconds(op, round_gpu(), calibration).count() == Approx(roofline / 0.5));
  CHECK(share_at(calibration.curves[0], 11.0) == Approx(std::sqrt(0.25 * 0.5)));
  CHECK(share_at(calibration.curves[0], 3.0) == Approx(0.25));
  CHECK(share_at(calibration.curves[0], 30.0) == Approx(0.5));
}

TEST_CASE("ops of unknown kind are timed by the roofline rather than not at all") {
  const Op op = convolution(OpKind::conv_forward, {1, 512, 512, 64, 64});
  CHECK(op_seconds(op, round_gpu(), Calibration{}).count() > roofline_seconds(op, round_gpu()));
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

TEST_CASE("a host that runs ahead during micro-batches changes the optimizer's time once, not once more for each") {
  Calibration calibration = round_calibration();
  calibration.host = HostCosts{};
  calibration.host.forward_op_seconds = calibration.host.backward_op_seconds = 20e-6;
  calibration.host.optimizer_pass_seconds = 12e-3;  // longer than the kernel, until the host is far enough ahead
  const std::vector<Op> ops{relu(100'000'000), relu(100'000'000, base::Phase::backward),
                            relu(100'000'000, base::Phase::optimizer)};
  const double kernel = op_seconds(ops.back(), round_gpu(), calibration).count();
  for (const std::int64_t n : {1, 2, 3, 4, 16, 256}) {
    const StepTime time = step_time(ops, round_gpu(), calibration, {n, false});
    CHECK(time.optimizer.value.count() >= Approx(kernel));
    CHECK(time.optimizer.value.count() <= kernel + 12e-3);
    CHECK(time.optimizer.low <= time.optimizer.high);
  }
}

TEST_CASE("times of layers add up to those of the device") {
  std::vector<Op> ops;
  for (std::size_t layer = 0; layer < 4; ++layer) {
    ops.push_back(relu(1'000'000 << layer));
    ops.back().layer = layer;
    ops.push_back(relu(3'000'000, base::Phase::backward));
    ops.back().layer = layer;
  }
  const StepTime time = step_time(ops, round_gpu(), round_calibration(), {3, false});
  double sum = 0.0;
  for (const LayerSeconds& layer : time.layers) {
    sum += layer.forward.count() + layer.backward.count();
  }
  CHECK(time.layers.size() == 4);
  CHECK(sum == Approx(time.device_busy.count()));
}

TEST_CASE("a step is given with a range that holds it") {
  const StepTime time = step_time(std::vector<Op>{relu(100)}, round_gpu(), round_calibration());
  CHECK(time.step.low < time.step.value);
  CHECK(time.step.value < time.step.high);
  CHECK(time.step.basis == base::Basis::calibrated);
}
