// SPDX-License-Identifier: MIT
#include "vggplan/timing/parallel.hpp"

#include "support/catch.hpp"
#include "unit/timing/fixtures.hpp"

namespace {

using namespace vggplan;
using namespace vggplan::timing;
using Catch::Detail::Approx;

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

TEST_CASE("collectives take longer with more bytes, more GPUs and slower links") {
  double before = 0.0;
  for (double bytes = 256; bytes < 1e10; bytes *= 2) {
    const double now = all_reduce(bytes, switched(8));
    CHECK(now >= before);
    before = now;
  }
  CHECK(all_reduce(1e9, switched(8)) > all_reduce(1e9, switched(2)));
  const Fabric pcie = make_fabric(link_of(16e9), hardware::Topology::pcie, 8, 1, std::nullopt);
  CHECK(all_reduce(1e9, pcie) > all_reduce(1e9, switched(8)));
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
  const auto exposed = [&](const Exchange& exchange) {
    return parallel_step_time(ops, round_gpu(), round_calibration(), {}, exchange, switched(8)).exposed.value.count();
  };
  CHECK(exposed(exchange_of(400, 1)) < exposed(exchange_of(1, 400)));
  SECTION("views of the bucket save a copy") {
    Exchange viewed = exchange_of(400, 1);
    viewed.bucket_view = true;
    CHECK(exposed(viewed) < exposed(exchange_of(400, 1)));
  }
}

TEST_CASE("the communication reported is the sum of the collectives") {
  const Exchange exchange = exchange_of(400, 30);
  double sum = 0.0;
  for (const Bucket& bucket : exchange.buckets) {
    sum += collective_seconds(Collective::all_reduce, bucket.bytes, switched(8), LinkRates{}).count();
  }
  const ParallelTime time =
      parallel_step_time(two_layers(), round_gpu(), round_calibration(), {}, exchange, switched(8));
  CHECK(time.communication.value.count() == Approx(sum));
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
