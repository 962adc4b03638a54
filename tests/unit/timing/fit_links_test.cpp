// SPDX-License-Identifier: MIT
#include "timing/fit.hpp"
#include "unit/timing/fixtures.hpp"

namespace vggplan::timing {
namespace {

using base::Phase;

}  // namespace

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

}  // namespace vggplan::timing
