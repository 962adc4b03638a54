// SPDX-License-Identifier: MIT
// torch/utils/checkpoint.py: checkpoint (use_reentrant=False, early stop) and checkpoint_sequential.
#include "vggplan/lowering/schedule.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <variant>

#include "vggplan/graph/flow.hpp"

namespace vggplan::lowering {

namespace {

using graph::Network;
using job::Checkpointing;

constexpr std::string_view kFlag = "--checkpointing";

template <class Kind>
bool is(const Network& network, graph::NodeId id) {
  return std::holds_alternative<Kind>(network.nodes[id].kind);
}

/// Layers of torchvision's `features`.
std::size_t feature_count(const Network& network) { return network.features - kFirstNode; }

std::vector<Segment> blocks(const Network& network) {
  std::vector<Segment> found;
  graph::NodeId first = kFirstNode;
  for (graph::NodeId id = kFirstNode; id < network.features; ++id) {
    if (is<graph::MaxPool>(network, id) || id + 1 == network.features) {
      found.push_back({first, id + 1});
      first = id + 1;
    }
  }
  return found;
}

/// The first count - 1 of `count` segments; the last one is not checkpointed.
std::vector<Segment> sequential(std::size_t features, std::size_t count) {
  std::vector<Segment> found;
  const std::size_t length = features / count;
  for (std::size_t i = 0; i + 1 < count; ++i) {
    found.push_back({kFirstNode + i * length, kFirstNode + (i + 1) * length});
  }
  return found;
}

bool works_in_place(const Network& network, graph::NodeId id) {
  const auto* activation = std::get_if<graph::Activation>(&network.nodes[id].kind);
  return activation != nullptr && activation->in_place;
}

/// The input of a segment is saved before the segment runs. An in-place ReLU at its head then
/// overwrites what was saved, and autograd's version check refuses it in backward.
const Segment* starting_in_place(const Network& network, const std::vector<Segment>& segments) {
  const auto bad = std::find_if(segments.begin(), segments.end(),
                                [&](const Segment& segment) { return works_in_place(network, segment.first); });
  return bad == segments.end() ? nullptr : &*bad;
}

/// Numbers of segments that work for this network, the nearest to `wanted` first named.
std::string working_counts(const Network& network, std::int64_t wanted) {
  constexpr std::size_t kNamed = 3;
  const std::size_t features = feature_count(network);
  const std::int64_t near = std::clamp<std::int64_t>(wanted, 1, static_cast<std::int64_t>(features));
  std::vector<std::int64_t> counts;
  for (std::size_t count = 2; count <= features; ++count) {
    if (starting_in_place(network, sequential(features, count)) == nullptr) {
      counts.push_back(static_cast<std::int64_t>(count));
    }
  }
  std::stable_sort(counts.begin(), counts.end(),
                   [near](std::int64_t a, std::int64_t b) { return std::abs(a - near) < std::abs(b - near); });
  counts.resize(std::min(counts.size(), kNamed));
  std::sort(counts.begin(), counts.end());
  std::string text = "use block";
  for (const std::int64_t count : counts) {
    text += fmt::format(", seq:{}", count);
  }
  return text;
}

base::Result<std::vector<Segment>> sequential_segments(const Network& network, std::int64_t wanted) {
  const std::size_t features = feature_count(network);
  if (wanted < 1 || wanted > static_cast<std::int64_t>(features)) {
    return base::wrong(kFlag,
                       fmt::format("takes seq:N with N from 1 to {}, the layers of the features of {}, not {}",
                                   features, network.name, wanted),
                       working_counts(network, wanted));
  }
  auto found = sequential(features, static_cast<std::size_t>(wanted));
  if (const Segment* bad = starting_in_place(network, found)) {
    return base::wrong(kFlag,
                       fmt::format("seq:{} begins a checkpointed segment of {} at {}, an in-place ReLU, which PyTorch "
                                   "refuses in backward",
                                   wanted, network.name, network.nodes[bad->first].name),
                       working_counts(network, wanted));
  }
  return found;
}

/// Where recomputation of a segment ends. A convolution saves only its operands, before it runs, so
/// one at the end is not run again; other layers save results too (ReLU, batch norm, pool indices).
std::size_t recompute_end(const Network& network, const Segment& segment) {
  return is<graph::Convolution>(network, segment.last - 1) ? segment.last - 1 : segment.last;
}

/// Both kinds of segments cut a chain. A map that a later node reads as well would be computed twice, or kept.
base::Status check_chain(const Network& network) {
  const graph::Flow flow = graph::flow_of(network);
  for (graph::NodeId id = kFirstNode; id + 1 < network.features; ++id) {
    if (flow.last_use[id] > id + 1) {
      return base::wrong(kFlag,
                         fmt::format("cuts a chain of layers, but in {} the output of {} is needed until {}",
                                     network.name, network.nodes[id].name, network.nodes[flow.last_use[id]].name),
                         "use --checkpointing none");
    }
  }
  return std::nullopt;
}

}  // namespace

base::Result<std::vector<Segment>> segments(const Network& network, const Checkpointing& checkpointing) {
  if (checkpointing.kind != Checkpointing::Kind::none) {
    if (auto problem = check_chain(network)) {
      return *std::move(problem);
    }
  }
  switch (checkpointing.kind) {
    case Checkpointing::Kind::none: return std::vector<Segment>{};
    case Checkpointing::Kind::block: return blocks(network);
    case Checkpointing::Kind::sequential: return sequential_segments(network, checkpointing.segments);
  }
  return std::vector<Segment>{};
}

std::size_t segment_of(const std::vector<Segment>& segments, graph::NodeId id) {
  const auto found = std::find_if(segments.begin(), segments.end(),
                                  [id](const Segment& segment) { return segment.first <= id && id < segment.last; });
  return found == segments.end() ? kNoSegment : static_cast<std::size_t>(found - segments.begin());
}

std::vector<Visit> schedule(const Network& network, const std::vector<Segment>& segments, job::Mode mode) {
  const graph::NodeId loss = network.nodes.size() - 1;
  std::vector<Visit> visits;
  for (graph::NodeId id = kFirstNode; id < loss; ++id) {
    visits.push_back({Pass::forward, id, mode == job::Mode::train ? segment_of(segments, id) : kNoSegment});
  }
  if (mode == job::Mode::infer) {
    return visits;
  }
  for (graph::NodeId id = loss; id-- > kFirstNode;) {
    const std::size_t s = visits[id - kFirstNode].segment;
    if (s != kNoSegment && id + 1 == segments[s].last) {
      for (graph::NodeId again = segments[s].first; again < recompute_end(network, segments[s]); ++again) {
        visits.push_back({Pass::recompute, again, s});
      }
    }
    visits.push_back({Pass::backward, id, s});
  }
  return visits;
}

}  // namespace vggplan::lowering
