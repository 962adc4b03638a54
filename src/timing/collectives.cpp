// SPDX-License-Identifier: MIT
#include "vggplan/timing/collectives.hpp"

#include <algorithm>

namespace vggplan::timing {
namespace {

// Rings of two and of many GPUs reach different shares of NVLink: 191, 217 and 226 GB/s on 2, 4 and 8
// A100 (300 GB/s), from NCCL tables in vTrain (github.com/VIA-Research/vTrain); this half GPU fits them.
constexpr double kRingLoss = 0.5;
// Meshes of NVLinks (DGX-1) give a ring of few GPUs few links: 22.6, 85 and 134 of 150 GB/s on 2, 4 and 8 V100, same
// tables. Two GPUs have one link between them: one of the six of NVLink 2 (25 GB/s), one of the four of NVLink 1.
constexpr double kMeshShare8 = 0.9;
constexpr double kMeshShare4 = 0.57;
constexpr double kOneLink = 25e9;
constexpr double kOneOfFour = 0.25;
// PCIe carries NCCL's rings at about a third of its rate where data passes through the host: 4.9 to 5.6 of
// 15.75 GB/s on 2, 4 and 8 RTX 2080 Ti (github.com/lambdal/lambda-tensorflow-benchmark, VGG16 with and without peers).
constexpr double kPcieShare = 0.34;
// Of the network's rate that NCCL reaches; 100 Gbit/s Ethernet and InfiniBand alike give 80 to 90 %.
constexpr double kNetworkShare = 0.8;

double ring_share(const Fabric& fabric, const LinkRates& rates) {
  const auto n = static_cast<double>(fabric.gpus_per_node());
  switch (fabric.topology) {
    case hardware::Topology::none: return 1.0;
    case hardware::Topology::pcie: return kPcieShare;
    case hardware::Topology::nvlink_bridge: return rates.nvlink_share * 2.0 / (2.0 + kRingLoss);  // joins pairs
    case hardware::Topology::nvlink_mesh:
      return n >= 8.0   ? kMeshShare8
             : n >= 4.0 ? kMeshShare4
                        : kMeshShare8 * std::min(kOneLink / fabric.link.count(), kOneOfFour);
    case hardware::Topology::nvswitch: return rates.nvlink_share * n / (n + kRingLoss);
  }
  return 1.0;
}

/// Bytes that each GPU (or node) sends in a ring of `n`, per byte of the buffer.
double ring_traffic(Collective collective, double n) {
  const double pass = (n - 1.0) / n;
  return collective == Collective::all_reduce ? 2.0 * pass : collective == Collective::broadcast ? 1.0 : pass;
}

}  // namespace

Fabric make_fabric(const hardware::Link& link, hardware::Topology topology, std::int64_t gpus, std::int64_t nodes,
                   std::optional<base::BytesPerSecond> network) {
  Fabric fabric;
  fabric.gpus = gpus;
  fabric.nodes = nodes;
  fabric.topology = topology;
  fabric.link = link.per_direction;
  fabric.network = network.value_or(kAssumedNetwork);
  fabric.network_latency = base::Seconds(20e-6);
  return fabric;
}

base::Seconds collective_seconds(Collective collective, base::Bytes bytes, const Fabric& fabric,
                                 const LinkRates& rates) {
  if (fabric.gpus < 2) {
    return base::Seconds(0.0);
  }
  const auto inside = static_cast<double>(fabric.gpus_per_node());
  const auto nodes = static_cast<double>(fabric.nodes);
  const double gather =
      collective == Collective::all_gather || collective == Collective::reduce_scatter ? rates.gather_share : 1.0;
  double start = rates.start_seconds + rates.hop_seconds * std::max(0.0, inside - 2.0);
  double transfer = 0.0;
  if (inside > 1.0) {
    transfer = bytes.as_double() * ring_traffic(collective, inside) /
               (fabric.link.count() * ring_share(fabric, rates) * gather);
  }
  if (nodes > 1.0) {
    // The ring passes each node once; its slowest link sets the pace.
    const double between =
        bytes.as_double() * ring_traffic(collective, nodes) / (fabric.network.count() * kNetworkShare);
    transfer = std::max(transfer, between);
    start += 2.0 * fabric.network_latency.count() * (nodes - 1.0);
  }
  // Small messages take the start alone; of large ones half of it hides behind the transfer.
  return base::Seconds(std::max(start, 0.5 * start + transfer));
}

}  // namespace vggplan::timing
