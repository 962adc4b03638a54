// SPDX-License-Identifier: MIT
#include "vggplan/lowering/schedule.hpp"

#include <algorithm>

#include "lowering/kinds/kinds.hpp"

namespace vggplan::lowering {

Packed packed_of(const graph::Network& network, const graph::Flow& flow, const Segment& segment) {
  Packed packed{segment.last, segment.first, segment.first};
  for (graph::NodeId id = segment.first; id < segment.last; ++id) {
    if (flow.needs_gradient[id] && packs(network.nodes[id]) > 0) {
      packed.first = std::min(packed.first, id);
      packed.last = id;
    }
  }
  packed.stop = packs_operands(network.nodes[packed.last]) ? packed.last : packed.last + 1;
  return packed;
}

namespace {

std::vector<Visit> forward_visits(const graph::Network& network, const std::vector<Segment>& segments) {
  std::vector<Visit> visits;
  std::size_t next = 0;  // segment that is not over
  for (graph::NodeId id = kFirstNode; id + 1 < network.nodes.size(); ++id) {
    if (next < segments.size() && id == segments[next].last) {
      ++next;
    }
    const bool inside = next < segments.size() && id >= segments[next].first;
    visits.push_back({Pass::forward, id, inside ? next : kNoSegment});
  }
  return visits;
}

}  // namespace

std::vector<Visit> schedule(const graph::Network& network, const std::vector<Segment>& segments, job::Mode mode) {
  if (mode == job::Mode::infer) {
    return forward_visits(network, {});
  }
  std::vector<Packed> packed;
  if (!segments.empty()) {
    const graph::Flow flow = graph::flow_of(network);
    for (const Segment& segment : segments) {
      packed.push_back(packed_of(network, flow, segment));
    }
  }
  std::vector<Visit> visits = forward_visits(network, segments);
  for (graph::NodeId id = network.nodes.size() - 1; id-- > kFirstNode;) {
    const std::size_t s = visits[id - kFirstNode].segment;
    if (s != kNoSegment && id == packed[s].last) {
      for (graph::NodeId again = segments[s].first; again < packed[s].stop; ++again) {
        visits.push_back({Pass::recompute, again, s});
      }
    }
    visits.push_back({Pass::backward, id, s});
  }
  return visits;
}

}  // namespace vggplan::lowering
