// SPDX-License-Identifier: MIT
// What GPUs send each other, laid beside backward by hand. Two GPUs on a link of 100 GB/s reduce, gather, scatter or
// send 1 GB in 10 ms each.
#include <algorithm>

#include "unit/timing/fixtures.hpp"
#include "vggplan/timing/parallel.hpp"

namespace vggplan::timing {
namespace {

using base::Sharding;
using hardware::Topology;

Calibration plain_links() {
  Calibration calibration = round_calibration();
  calibration.links = {.start_seconds = 0.0,
                       .hop_seconds = 0.0,
                       .nvlink_share = 1.0,
                       .gather_share = 0.5,
                       .overlap_share = 0.5,
                       .spread_share = 0.01};
  return calibration;
}

Fabric fabric_of(std::int64_t gpus, Topology topology = Topology::none, std::int64_t nodes = 1, double link = 100e9) {
  hardware::Link joined;
  joined.per_direction = base::BytesPerSecond(link);
  return make_fabric(joined, topology, gpus, nodes, base::BytesPerSecond(10e9));
}

base::Bytes ms(std::int64_t n) { return base::Bytes(n * 100'000'000); }

/// A step of 100 ms whose gradients are ready 10 and 20 ms after backward has begun, which ends after 30.
OwnTime own_of_100_ms() {
  OwnTime own;
  own.step.step = base::exactly(base::Seconds(0.1), base::Basis::calibrated);
  own.ready = {0.010, 0.020, 0.030};
  return own;
}

struct Parts {
  double communication{};
  double exposed{};
  double copies{};  ///< bytes that are read once and written once
  double beside{};
};

/// `exchange` on two GPUs against what was worked out by hand, in ms.
void check_parts(const Exchange& exchange, const Parts& expected) {
  const ParallelTime time = parallel_step_time(own_of_100_ms(), round_gpu(), plain_links(), exchange, fabric_of(2));
  CHECK(time.communication.value.count() == Approx(1e-3 * expected.communication));
  CHECK(time.exposed.value.count() == Approx(1e-3 * expected.exposed).margin(1e-12));
  const double waiting = 0.1 * 0.01 * 0.564;
  const double copies = 2.0 * expected.copies / (0.8 * 1e12);
  CHECK(time.overhead.value.count() == Approx(copies + 0.5 * 1e-3 * expected.beside + waiting));
  for (const auto& part : {time.communication, time.exposed, time.overhead}) {
    CHECK(part.low.count() == Approx(0.6 * part.value.count()));
    CHECK(part.high.count() == Approx(1.4 * part.value.count()));
    CHECK(part.basis == base::Basis::calibrated);
  }
  const double more = time.exposed.value.count() + time.overhead.value.count();
  CHECK(time.step.step.value.count() == Approx(0.1 + more));
  CHECK(time.step.step.low.count() == Approx(0.1 + 0.6 * more));
  CHECK(time.step.step.high.count() == Approx(0.1 + 1.4 * more));
}

Exchange of_two(std::int64_t first, std::int64_t second) {
  Exchange exchange;
  exchange.gradients = {{1, ms(first), false}, {0, ms(second), false}};
  exchange.buckets = {{ms(first), 0}, {ms(second), 1}};
  return exchange;
}

}  // namespace

TEST_CASE("a gradient is ready when the last kernel of its layer is done, what runs again counted") {
  std::vector<Op> ops{relu(1'000'000),
                      relu(1'000'000, base::Phase::backward),
                      relu(2'000'000, base::Phase::backward),
                      relu(3'000'000, base::Phase::backward),
                      relu(4'000'000, base::Phase::backward),
                      relu(5'000'000, base::Phase::optimizer)};
  ops[0].layer = 3;
  ops[1].layer = 2;
  ops[2].layer = 0;
  ops[2].recompute = true;  // takes time, and hands no gradient over
  ops[3].layer = 0;
  Exchange exchange;
  exchange.gradients = {{2, ms(1), false}, {0, ms(1), false}, {3, ms(1), false}};
  std::swap(ops[0], ops[1]);
  const std::vector<double> ready = own_time(ops, round_gpu(), round_calibration(), {}, exchange).ready;
  const auto kernel = [](std::int64_t n) { return op_seconds(relu(n), round_gpu(), round_calibration()).count(); };
  const double first = kernel(1'000'000);
  const double third = first + kernel(2'000'000) + kernel(3'000'000);
  const double end = third + kernel(4'000'000);
  REQUIRE(ready.size() == 4);
  CHECK(ready[0] == Approx(first));
  CHECK(ready[1] == Approx(third));
  CHECK(ready[2] == Approx(end));  // of a layer that backward does not come to
  CHECK(ready[3] == Approx(end));
}

TEST_CASE("buckets are reduced one after the other beside backward, and what is left sticks out behind it") {
  check_parts(of_two(5, 4), {9, 0, 0.9e9 * 2, 9});      // done at 15 and 24
  check_parts(of_two(5, 14), {19, 4, 1.9e9 * 2, 15});   // at 34
  check_parts(of_two(15, 10), {25, 5, 2.5e9 * 2, 20});  // the second waits for the first: 25, 35
  check_parts(of_two(50, 10), {60, 40, 6e9 * 2, 20});   // 60, 70
  Exchange viewed = of_two(15, 10);
  viewed.bucket_view = true;
  check_parts(viewed, {25, 5, 2.5e9, 20});
  Exchange late = of_two(15, 10);
  late.buckets = {{ms(25), 1}};
  check_parts(late, {25, 15, 2.5e9 * 2, 10});
  Exchange spread = of_two(15, 10);
  spread.sharding = Sharding::zero1;  // and sends all parameters
  check_parts(spread, {50, 30, 2.5e9 * 2, 20});
}

TEST_CASE("FSDP2 gathers units twice and scatters them, and the rest of all once behind backward") {
  Exchange exchange = of_two(4, 6);
  exchange.sharding = Sharding::fsdp2;
  check_parts(exchange, {20, 20, 3 * 1e9, 0});  // both are rest: gathered and scattered
  exchange.gradients[0].is_unit = true;
  check_parts(exchange, {3 * 4 + 12, 4 + 12, 3 * 1e9, 8});
  exchange.gradients[1].is_unit = true;
  check_parts(exchange, {30, 10, 3 * 1e9, 20});  // scattered at 14 and 26
  Exchange large = of_two(15, 10);
  large.sharding = Sharding::fsdp2;
  large.gradients[0].is_unit = large.gradients[1].is_unit = true;
  check_parts(large, {75, 25 + 5, 3 * 2.5e9, 45});  // scattered at 25 and 35
  large.rounds = 3;
  check_parts(large, {225, 90, 9 * 2.5e9, 135});
  Exchange late = of_two(2, 200);
  late.sharding = Sharding::fsdp2;
  late.gradients[1].is_unit = true;
  late.gradients[0].bytes = {};
  check_parts(late, {600, 200 + 190, 3 * 20e9, 400 - 190});
}

TEST_CASE("a step waits for the slowest of its GPUs, within a tenth of the normal distribution's order statistics") {
  for (const auto& [gpus, expected] : {std::pair{2, 0.5642}, std::pair{4, 1.0294}, std::pair{8, 1.4236},
                                       std::pair{16, 1.7660}, std::pair{100, 2.5076}, std::pair{1000, 3.2414}}) {
    const ParallelTime time = parallel_step_time(own_of_100_ms(), round_gpu(), plain_links(), {}, fabric_of(gpus));
    CHECK(time.overhead.value.count() / (0.1 * 0.01) == Approx(expected).epsilon(0.1));
  }
}

TEST_CASE("a collective takes its start, or half of it and the ring's traffic: each by hand") {
  LinkRates rates;
  rates.start_seconds = 100e-6;
  rates.hop_seconds = 10e-6;
  rates.nvlink_share = 0.9;
  rates.gather_share = 0.5;
  const auto seconds = [&](Collective what, double bytes, const Fabric& fabric) {
    return collective_seconds(what, base::Bytes(static_cast<std::int64_t>(bytes)), fabric, rates).count();
  };
  using enum Collective;
  const Fabric four = fabric_of(4, Topology::nvswitch);  // 80 GB/s are reached
  CHECK(seconds(all_reduce, 8, fabric_of(2)) == Approx(100e-6));
  CHECK(seconds(all_reduce, 8, four) == Approx(120e-6));
  CHECK(seconds(all_reduce, 8e9, four) == Approx(60e-6 + 0.15));
  CHECK(seconds(broadcast, 8e9, four) == Approx(60e-6 + 0.1));
  CHECK(seconds(all_gather, 8e9, four) == Approx(60e-6 + 0.15));
  CHECK(seconds(reduce_scatter, 8e9, four) == Approx(60e-6 + 0.15));
  // Three nodes of one GPU: 8 of 10 GB/s are reached, and the ring passes two more nodes, there and back.
  const Fabric nodes = fabric_of(3, Topology::nvswitch, 3);
  CHECK(seconds(all_reduce, 8, nodes) == Approx(100e-6 + 4 * 20e-6));
  CHECK(seconds(all_reduce, 6e9, nodes) == Approx(90e-6 + 1.0));
  CHECK(seconds(all_gather, 6e9, nodes) == Approx(90e-6 + 0.5));
  CHECK(seconds(broadcast, 8e9, nodes) == Approx(90e-6 + 1.0));
  CHECK(seconds(broadcast, 8e9, fabric_of(3, Topology::nvswitch, 3, 1e6)) == Approx(90e-6 + 1.0));
  // Two nodes of four: the network is slower; over links of 1 GB/s these are.
  CHECK(seconds(all_reduce, 8e9, fabric_of(8, Topology::nvswitch, 2)) == Approx(80e-6 + 1.0));
  CHECK(seconds(all_reduce, 8e9, fabric_of(8, Topology::nvswitch, 2, 1e9)) == Approx(80e-6 + 15.0));
  CHECK(seconds(all_reduce, 8e9, fabric_of(1)) == 0.0);
  CHECK(make_fabric({}, Topology::none, 2, 2, std::nullopt).network == kAssumedNetwork);
}

TEST_CASE("a mesh gives rings of up to three GPUs one link, of up to seven more, and of eight nearly all") {
  LinkRates rates;
  rates.start_seconds = rates.hop_seconds = 0.0;
  const auto share = [&](std::int64_t gpus, double link) {
    const double seconds = collective_seconds(Collective::broadcast, base::Bytes(1'000'000'000),
                                              fabric_of(gpus, Topology::nvlink_mesh, 1, link), rates)
                               .count();
    return 1e9 / (seconds * link);
  };
  for (const std::int64_t gpus : {2, 3}) {
    CHECK(share(gpus, 150e9) == Approx(0.9 / 6));  // one of six
    CHECK(share(gpus, 80e9) == Approx(0.9 / 4));   // one of four
  }
  CHECK(share(4, 150e9) == share(7, 150e9));
  CHECK(share(8, 150e9) == share(16, 150e9));
  CHECK(share(3, 150e9) < share(4, 150e9));
  CHECK(share(7, 150e9) < share(8, 150e9));
}

TEST_CASE("the mean of steps has the mean of each of their parts and is as sure as the least sure") {
  std::vector<ParallelTime> steps;
  const auto parts =
      std::array{&StepTime::step, &StepTime::forward, &StepTime::backward, &StepTime::optimizer, &StepTime::host_busy};
  const auto more = std::array{&ParallelTime::communication, &ParallelTime::exposed, &ParallelTime::overhead};
  for (const double n : {1.0, 3.0, 8.0}) {
    ParallelTime time;
    double i = 0.0;
    const auto next = [&] {
      i += 1.0;
      return base::Estimated<base::Seconds>{base::Seconds(n * i), base::Seconds(n * i - 1), base::Seconds(n * i + 2),
                                            n == 3.0 ? base::Basis::modelled : base::Basis::calibrated};
    };
    std::for_each(parts.begin(), parts.end(), [&](auto part) { time.step.*part = next(); });
    std::for_each(more.begin(), more.end(), [&](auto part) { time.*part = next(); });
    steps.push_back(time);
  }
  const ParallelTime average = mean(steps);
  double i = 0.0;
  const auto check = [&](const base::Estimated<base::Seconds>& part) {
    i += 1.0;
    CHECK(part.value.count() == Approx(4 * i));
    CHECK(part.low.count() == Approx(4 * i - 1));
    CHECK(part.high.count() == Approx(4 * i + 2));
    CHECK(part.basis == base::Basis::modelled);
  };
  std::for_each(parts.begin(), parts.end(), [&](auto part) { check(average.step.*part); });
  std::for_each(more.begin(), more.end(), [&](auto part) { check(average.*part); });
}

}  // namespace vggplan::timing
