// SPDX-License-Identifier: MIT
// Seconds of NCCL's collectives by size, from the links between the GPUs.
#pragma once

#include <cstdint>
#include <optional>

#include "vggplan/base/units.hpp"
#include "vggplan/hardware/hardware.hpp"

namespace vggplan::timing {

enum class Collective { all_reduce, all_gather, reduce_scatter, broadcast };

/// What a collective reaches of its links: fitted, all but the hop. configs/calibration holds the values.
struct LinkRates {
  double start_seconds{36e-6};  ///< of any collective between two GPUs
  double hop_seconds{5e-6};     ///< assumed, for each further GPU of the ring; four H200s on a switch show none
  double nvlink_share{0.82};    ///< of an NVLink's rate that a ring of many GPUs reaches
  double gather_share{0.8};     ///< rate of all-gather and reduce-scatter against that of all-reduce
  double overlap_share{0.6};    ///< of the time of a collective that the kernels beside it lose
  double spread_share{0.018};   ///< by which GPUs of one kind differ; a step waits for the slowest
  bool operator==(const LinkRates&) const = default;
};

/// The GPUs that take part, and what lies between them.
struct Fabric {
  std::int64_t gpus{1};  ///< in all
  std::int64_t nodes{1};
  hardware::Topology topology{hardware::Topology::none};
  base::BytesPerSecond link{};     ///< of one GPU to its peers in the node, per direction
  base::BytesPerSecond network{};  ///< of one node, per direction
  base::Seconds network_latency{};
  [[nodiscard]] std::int64_t gpus_per_node() const { return gpus / nodes; }
};

/// Of a node, where nothing is known: 100 Gbit/s.
constexpr base::BytesPerSecond kAssumedNetwork{12.5e9};

/// `topology` is hardware::ring_topology()'s, `link` that of hardware::peer_link(); `network` the machine's.
Fabric make_fabric(const hardware::Link& link, hardware::Topology topology, std::int64_t gpus, std::int64_t nodes,
                   std::optional<base::BytesPerSecond> network);

/// `bytes` is the whole buffer: what is reduced, or what every GPU holds after an all-gather.
base::Seconds collective_seconds(Collective collective, base::Bytes bytes, const Fabric& fabric,
                                 const LinkRates& rates);

}  // namespace vggplan::timing
