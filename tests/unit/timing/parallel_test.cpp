// SPDX-License-Identifier: MIT
#include "vggplan/timing/parallel.hpp"

#include "unit/timing/fixtures.hpp"

namespace vggplan::timing {
namespace {

hardware::Link link_of(double rate) {
  hardware::Link link;
  link.per_direction = base::BytesPerSecond(rate);
  return link;
}

double all_reduce(double bytes, const Fabric& fabric, const LinkRates& rates = {}) {
  return collective_seconds(Collective::all_reduce, base::Bytes(static_cast<std::int64_t>(bytes)), fabric, rates)
      .count();
}

Fabric switched(std::int64_t gpus, std::int64_t nodes = 1) {
  return make_fabric(link_of(100e9), hardware::Topology::nvswitch, gpus, nodes, base::BytesPerSecond(10e9));
}

/// Two layers: a forward and a backward op each, 80 ms in all.
std::vector<Op> two_layers() {
  std::vector<Op> ops;
  for (const std::size_t layer : {std::size_t{0}, std::size_t{1}}) {
    ops.push_back(relu(250'000'000));
    ops.back().layer = layer;
  }
  for (const std::size_t layer : {std::size_t{1}, std::size_t{0}}) {
    ops.push_back(relu(250'000'000, base::Phase::backward));
    ops.back().layer = layer;
  }
  ops.push_back(relu(1'000'000, base::Phase::optimizer));
  return ops;
}

Exchange exchange_of(double mib_last, double mib_first) {
  Exchange exchange;
  const auto mib = [](double n) { return base::Bytes(static_cast<std::int64_t>(n * 1024 * 1024)); };
  exchange.gradients = {{1, mib(mib_last), false}, {0, mib(mib_first), false}};
  exchange.buckets = {{mib(mib_last), 0}, {mib(mib_first), 1}};
  return exchange;
}

}  // namespace

TEST_CASE("a ring sends 2 (n - 1) / n of the buffer, at the rate of its slowest link") {
  LinkRates rates;
  rates.start_seconds = rates.hop_seconds = 0.0;
  const double at4 = rates.nvlink_share * 4.0 / 4.5 * 100e9;
  CHECK(all_reduce(1e9, switched(4), rates) == Approx(1.5e9 / at4));
  // Two nodes of four: the network carries 2 * 1/2 of the buffer at eight tenths of its rate, and is slower.
  CHECK(all_reduce(1e9, switched(8, 2), rates) == Approx(1e9 / 8e9).epsilon(1e-3));
  CHECK(all_reduce(1e9, switched(1), rates) == 0.0);
}

TEST_CASE("each topology gives a ring what NCCL was seen to reach on it") {
  LinkRates rates;
  rates.start_seconds = rates.hop_seconds = 0.0;
  const auto bus_rate = [&](hardware::Topology topology, double link, std::int64_t gpus) {
    const Fabric fabric = make_fabric(link_of(link), topology, gpus, 1, std::nullopt);
    const double n = static_cast<double>(gpus);
    return 2.0 * (n - 1.0) / n * 1e9 / all_reduce(1e9, fabric, rates) / 1e9;  // GB/s
  };
  using hardware::Topology;
  // NCCL tables of vTrain: A100 with switches (300 GB/s), V100 in a DGX-1 (150 GB/s); RTX 2080 Ti on PCIe 3 from
  // Lambda's benchmark.
  rates.nvlink_share = 0.8;
  CHECK(bus_rate(Topology::nvswitch, 300e9, 2) == Approx(191).epsilon(0.05));
  CHECK(bus_rate(Topology::nvswitch, 300e9, 4) == Approx(217).epsilon(0.05));
  CHECK(bus_rate(Topology::nvswitch, 300e9, 8) == Approx(226).epsilon(0.05));
  CHECK(bus_rate(Topology::nvlink_mesh, 150e9, 2) == Approx(22.6).epsilon(0.05));
  CHECK(bus_rate(Topology::nvlink_mesh, 150e9, 4) == Approx(85).epsilon(0.05));
  CHECK(bus_rate(Topology::nvlink_mesh, 150e9, 8) == Approx(134).epsilon(0.05));
  CHECK(bus_rate(Topology::nvlink_mesh, 80e9, 2) < 20);  // one of the four links of a P100
  for (const std::int64_t gpus : {2, 4, 8}) {
    CHECK(bus_rate(Topology::pcie, 15.75e9, gpus) == Approx(5.25).margin(0.4));
  }
  // A bridge is a pair's NVLink without a switch.
  CHECK(bus_rate(Topology::nvlink_bridge, 300e9, 2) == Approx(bus_rate(Topology::nvswitch, 300e9, 2)));
}

TEST_CASE("one GPU to a machine starts no sooner than two in one") {
  const Fabric apart = make_fabric(link_of(100e9), hardware::Topology::none, 2, 2, base::BytesPerSecond(1e15));
  CHECK(all_reduce(1, apart) > all_reduce(1, switched(2)));
  LinkRates slow;
  slow.hop_seconds = 1e-3;
  CHECK(all_reduce(1, apart, slow) == all_reduce(1, apart));
}

TEST_CASE("one GPU exchanges nothing") {
  const auto ops = two_layers();
  const ParallelTime time =
      parallel_step_time(ops, round_gpu(), round_calibration(), {}, exchange_of(100, 1), switched(1));
  CHECK(time.step.step.value == step_time(ops, round_gpu(), round_calibration()).step.value);
  CHECK(time.exposed.value.count() == 0.0);
}

TEST_CASE("what is ready early hides behind backward, what is ready last does not") {
  const auto ops = two_layers();
  const auto time = [&](const Exchange& exchange) {
    return parallel_step_time(ops, round_gpu(), round_calibration(), {}, exchange, switched(8));
  };
  CHECK(time(exchange_of(400, 1)).exposed.value < time(exchange_of(1, 400)).exposed.value);
  SECTION("views of the bucket save a copy") {
    Exchange viewed = exchange_of(400, 1);
    viewed.bucket_view = true;
    CHECK(time(viewed).overhead.value < time(exchange_of(400, 1)).overhead.value);
  }
}

TEST_CASE("the parts of a step on several GPUs add up to it, and no more is exposed than is sent") {
  const auto ops = two_layers();
  const base::Seconds alone = step_time(ops, round_gpu(), round_calibration(), {4, false}).step.value;
  for (const base::Sharding sharding : {base::Sharding::ddp, base::Sharding::zero1, base::Sharding::fsdp2}) {
    for (const double last : {0.5, 30.0, 4000.0}) {
      for (const Fabric& fabric : {switched(2), switched(8), switched(16, 2)}) {
        Exchange exchange = exchange_of(last, 30);
        exchange.sharding = sharding;
        exchange.gradients.front().is_unit = true;
        const ParallelTime time =
            parallel_step_time(ops, round_gpu(), round_calibration(), {4, false}, exchange, fabric);
        CHECK((time.step.step.value - time.exposed.value - time.overhead.value).count() == Approx(alone.count()));
        const base::Seconds phases = time.step.forward.value + time.step.backward.value + time.step.optimizer.value;
        CHECK(phases.count() == Approx(alone.count()));
        CHECK(time.exposed.value <= time.communication.value);
        CHECK(time.exposed.value.count() >= 0.0);
        CHECK(time.overhead.value.count() > 0.0);
      }
    }
  }
}

TEST_CASE("what FSDP2 sends in each micro-batch adds up") {
  Exchange exchange = exchange_of(400, 30);
  exchange.sharding = base::Sharding::fsdp2;
  exchange.gradients.front().is_unit = true;
  const auto with_rounds = [&](std::int64_t rounds) {
    exchange.rounds = rounds;
    return parallel_step_time(two_layers(), round_gpu(), round_calibration(), {4, false}, exchange, switched(4));
  };
  const ParallelTime once = with_rounds(1);
  const ParallelTime four = with_rounds(4);
  CHECK(four.communication.value.count() == Approx(4 * once.communication.value.count()));
  CHECK(four.exposed.value.count() == Approx(4 * once.exposed.value.count()));
  CHECK(four.overhead.value > once.overhead.value);
  // Gathered before backward and scattered behind it: one gather of the unit, and the rest twice.
  const double rest = exchange.gradients.back().bytes.as_double();
  const auto seconds = [&](Collective what, double bytes) {
    return collective_seconds(what, base::Bytes(static_cast<std::int64_t>(bytes)), switched(4), LinkRates{}).count();
  };
  const double least = seconds(Collective::all_gather, exchange.gradients.front().bytes.as_double()) +
                       seconds(Collective::all_gather, rest) + seconds(Collective::reduce_scatter, rest);
  CHECK(once.exposed.value.count() >= 0.99 * least);
}

TEST_CASE("more GPUs are never faster for the same batch on each") {
  double before = 0.0;
  for (const std::int64_t gpus : {1, 2, 4, 8, 16, 64, 512}) {
    const ParallelTime time = parallel_step_time(two_layers(), round_gpu(), round_calibration(), {},
                                                 exchange_of(400, 30), switched(gpus, gpus > 8 ? gpus / 8 : 1));
    CHECK(time.step.step.value.count() > before);
    before = time.step.step.value.count();
  }
}

}  // namespace vggplan::timing
