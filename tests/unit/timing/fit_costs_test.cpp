// SPDX-License-Identifier: MIT
// Made-up rows of hosts, links, loaders and whole steps: what made them is found again, and rows that must not count
// do not.
#include <algorithm>
#include <cmath>

#include "support/catch.hpp"
#include "timing/fit.hpp"
#include "timing/host.hpp"
#include "timing/rates.hpp"
#include "unit/timing/fixtures.hpp"

namespace {

using namespace vggplan;
using namespace vggplan::timing;
using base::DType;
using base::Layout;
using base::MathMode;
using base::Phase;
using Catch::Detail::Approx;
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
      sample.ops.assign(10 + 5 * row, small_op(relu_forward, Phase::forward));
      const double factor = row % 11 == 5 ? odd : 1.0;
      sample.step = sample.forward = base::Seconds(factor * 40e-6 * static_cast<double>(10 + 5 * row));
      steps.push_back(sample);
    }
    const Op op = small_op(relu_forward, Phase::forward);
    Calibration found;
    found.host = fitted_host(steps);
    const double seconds = step_time(std::vector(60, op), round_gpu(), found).host_busy.value.count();
    CHECK(seconds == Approx(60 * 40e-6).epsilon(0.06));
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

TEST_CASE("links: small collectives of two GPUs tell the start, large ones the rates, others nothing") {
  LinkRates truth;
  truth.nvlink_share = 0.7;
  truth.gather_share = 0.9;
  truth.start_seconds = 40e-6;
  truth.hop_seconds = 0.0;
  hardware::Link link;
  link.per_direction = base::BytesPerSecond(100e9);
  const auto fabric = [&](std::int64_t gpus) {
    return make_fabric(link, hardware::Topology::nvswitch, gpus, 1, std::nullopt);
  };
  constexpr std::int64_t kMiB = 1 << 20;
  Samples samples;
  const auto add = [&](Collective what, std::int64_t bytes, std::int64_t gpus, double factor) {
    const double seconds = collective_seconds(what, base::Bytes(bytes), fabric(gpus), truth).count();
    samples.collectives.push_back({what, base::Bytes(bytes), fabric(gpus), base::Seconds(factor * seconds)});
  };
  for (const Collective what : {Collective::all_reduce, Collective::all_gather, Collective::reduce_scatter}) {
    add(what, kMiB, 2, 1.0);
    add(what, 32 * kMiB, 2, 1.0);
    add(what, 32 * kMiB, 4, 1.0);
    for (int i = 0; i < 5; ++i) {
      add(what, 1000, 4, 3.0);
      add(what, kMiB + 1, 2, 3.0);
      add(what, 32 * kMiB - 1, 2, 3.0);
    }
  }
  for (int i = 0; i < 40; ++i) {
    add(Collective::broadcast, 32 * kMiB, 2, 3.0);
  }
  Calibration found;
  found.links.hop_seconds = 0.0;
  fit_links(samples, round_gpu(), found);
  CHECK(found.links.start_seconds == Approx(40e-6));
  CHECK(found.links.nvlink_share == Approx(0.7));
  CHECK(found.links.gather_share == Approx(0.9));
  Calibration nothing;
  fit_links({}, round_gpu(), nothing);
  CHECK(nothing.links == LinkRates{});
}

TEST_CASE("what collectives cost the kernels beside them, and what GPUs differ by, are found in whole steps") {
  LinkRates truth;
  truth.overlap_share = 0.25;
  truth.spread_share = 0.04;
  hardware::Link link;
  link.per_direction = base::BytesPerSecond(100e9);
  Samples samples;
  for (int row = 0; row < 12; ++row) {
    ParallelSample sample;
    sample.ops = {relu(250'000'000), relu(250'000'000, Phase::backward)};
    sample.ops[1].layer = 0;
    sample.exchange.bucket_view = row % 2 == 0;
    const base::Bytes bytes(100'000'000 * (row % 7));
    sample.exchange.gradients = {{5, bytes, false}};  // nothing hides: it is ready at the end
    sample.exchange.buckets = {{bytes, 0}};
    sample.fabric = make_fabric(link, hardware::Topology::nvswitch, row % 3 == 0 ? 8 : 2, 1, std::nullopt);
    if (row % 4 < 2) {  // all hides: ready before the second kernel
      Op last = relu(250'000'000, Phase::backward);
      sample.ops.push_back(last);
      sample.exchange.gradients[0].layer = 0;
    }
    Calibration calibration = round_calibration();
    calibration.links = truth;
    sample.step =
        parallel_step_time(sample.ops, round_gpu(), calibration, {}, sample.exchange, sample.fabric).step.step.value;
    samples.parallel.push_back(sample);
  }
  Calibration found = round_calibration();
  fit_links(samples, round_gpu(), found);
  CHECK(found.links.overlap_share == Approx(0.25).epsilon(0.05));
  CHECK(found.links.spread_share == Approx(0.04).epsilon(0.05));
}

TEST_CASE("stages are medians by size, and the largest copy tells the rate") {
  Samples samples;
  for (const double factor : {9.0, 1.0, 0.5}) {
    samples.stages.push_back({"b", 2e6, base::Seconds(factor * 2e-3)});
    samples.stages.push_back({"b", 1e6, base::Seconds(factor * 1e-3)});
    samples.stages.push_back({"a", 1e6, base::Seconds(factor * 7e-3)});
  }
  samples.copies = {{base::Bytes(1000), base::Seconds(1e-6)},
                    {base::Bytes(80'000'000), base::Seconds(2e-3)},
                    {base::Bytes(2000), base::Seconds(1e-9)}};
  Calibration found;
  fit_input(samples, found);
  CHECK(found.input.stages == std::vector<StageCurve>{{"a", {{1e6, 7e-3}}}, {"b", {{1e6, 1e-3}, {2e6, 2e-3}}}});
  CHECK(found.input.pinned_copy.count() == Approx(4e10));
  Calibration nothing;
  fit_input({}, nothing);
  CHECK(nothing.input == InputRates{});
}

TEST_CASE("what loops take beyond their stages is the hand-over, of those that do not keep the GPU busy") {
  // A GPU that takes 1000 images a second; 2 ms to decode, 3 MB to hand over.
  Samples samples;
  samples.stages = {{"decode-torchvision-jpeg", 1e6, base::Seconds(2e-3)}};
  ImagePath path;
  path.pixels = 1'000'000;
  const double mb3 = 3e6;
  const auto loop = [&](std::int64_t workers, double seconds) {
    samples.loaders.push_back({path, workers, static_cast<double>(std::max<std::int64_t>(workers, 1)) / seconds});
  };
  loop(10, 10e-3);  // the busiest: all that the GPU takes
  loop(1, 2e-3 + 0.8e-9 * mb3);
  loop(3, 2e-3 + 1.2e-9 * mb3);
  loop(9, 9.0 / 810);  // busy for more than four fifths of it
  loop(0, 1e-3 + 2e-3 + 0.3e-9 * mb3);
  loop(0, 1e-3 + 2e-3 + 0.5e-9 * mb3);
  Calibration found;
  fit_input(samples, found);
  CHECK(found.input.handover_seconds_per_byte == Approx(1e-9));
  CHECK(found.input.inline_seconds_per_byte == Approx(0.4e-9));
  SECTION("and nothing where they take less than their stages") {
    samples.loaders.clear();
    loop(10, 10e-3);
    loop(1, 1.9e-3);
    loop(0, 1e-3);
    fit_input(samples, found);
    CHECK(found.input.handover_seconds_per_byte == 0.0);
    CHECK(found.input.inline_seconds_per_byte == 0.0);
  }
  SECTION("loops of another kind leave it") {
    samples.loaders = {{path, 10, 1000.0}};
    Calibration other;
    fit_input(samples, other);
    CHECK(other.input.handover_seconds_per_byte == InputRates{}.handover_seconds_per_byte);
    CHECK(other.input.inline_seconds_per_byte == InputRates{}.inline_seconds_per_byte);
  }
}

namespace {

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

TEST_CASE("a fit says of how many rows each part was fitted and how far it is off in the median and at worst") {
  Samples samples;
  for (const double factor : {1.0, 1.1, 1.3}) {
    samples.ops.push_back({relu(100'000'000), base::Seconds(factor * 8e-3)});
    samples.ops.push_back({small_op(fill, Phase::forward), base::Seconds(factor)});
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
  step.ops = {relu(100'000'000), relu(100'000'000, Phase::backward)};
  step.step = base::Seconds(0.02);
  step.forward = base::Seconds(0.01);
  step.optimizer = base::Seconds(0.01);  // which no op tells of
  samples.steps.assign(3, step);
  samples.steps[0].for_ranges = true;
  samples.steps[1].step = base::Seconds(0.03);
  step.on_host = true;
  step.host_operation = base::Seconds(10e-6);
  samples.steps.push_back(step);
  ParallelSample parallel;
  parallel.ops = step.ops;
  parallel.fabric = two;
  parallel.step = base::Seconds(0.05);
  samples.parallel.push_back(parallel);
  // Neither rows of hosts nor those kept for ranges say anything of how long kernels take in a step.
  const Op conv = convolution(conv_forward, {8, 64, 64, 300, 300});
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
  check("step", {off(time.step.value.count(), 0.03), off(time.step.value.count(), 0.02)});
  check("step: forward", {off(time.forward.value.count(), 0.01), off(time.forward.value.count(), 0.01)});
  check("step: backward", {});
  check("step: optimizer", {});
  const double slow_modelled = step_time(slow.ops, round_gpu(), fit.calibration).step.value.count();
  check("step of the host", {off(time.step.value.count(), 0.02), off(slow_modelled, 0.012)});
  const ParallelTime both = parallel_step_time(step.ops, round_gpu(), fit.calibration, {}, {}, two);
  check("step on several GPUs", {off(both.step.step.value.count(), 0.05)});
}
