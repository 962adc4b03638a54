// SPDX-License-Identifier: MIT
// torch/utils/checkpoint.py: checkpoint (use_reentrant=False) and checkpoint_sequential.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <variant>

#include "lowering/regions.hpp"

namespace vggplan::lowering {

namespace {

using graph::Network;
using graph::NodeId;
using job::Checkpointing;

constexpr std::string_view kFlag = "--checkpointing";

/// Layers of torchvision's `features`.
std::size_t feature_count(const Network& network) { return network.features - kFirstNode; }

/// Every layer of the features reads the one before, and nobody else does.
bool is_chain(const Network& network) {
  const std::vector<NodeId> last = last_reads(network);
  for (NodeId id = 0; id + 1 < network.features; ++id) {
    if (last[id] != id + 1) {
      return false;
    }
  }
  return true;
}

std::vector<Segment> chain_blocks(const Network& network) {
  std::vector<Segment> found;
  NodeId first = kFirstNode;
  for (NodeId id = kFirstNode; id < network.features; ++id) {
    if (std::holds_alternative<graph::MaxPool>(network.nodes[id].kind) || id + 1 == network.features) {
      found.push_back({first, id + 1});
      first = id + 1;
    }
  }
  return found;
}

base::Result<std::vector<Segment>> blocks(const Network& network) {
  if (is_chain(network)) {
    return chain_blocks(network);
  }
  std::vector<Segment> found = graph_blocks(network);
  if (found.empty()) {
    return base::wrong(kFlag,
                       fmt::format("finds no block in {} that reads one tensor, hands on one, and holds two "
                                   "convolutions or branches that meet",
                                   network.name),
                       "use --checkpointing none");
  }
  return found;
}

/// The first count - 1 of `count` segments; the last one is not checkpointed.
std::vector<Segment> equal_lengths(std::size_t features, std::size_t count) {
  std::vector<Segment> found;
  const std::size_t length = features / count;
  for (std::size_t i = 0; i + 1 < count; ++i) {
    found.push_back({kFirstNode + i * length, kFirstNode + (i + 1) * length});
  }
  return found;
}

/// The same, each end moved to the nearest of `places` that leaves enough for the others, the earlier of two.
std::vector<Segment> near_lengths(std::size_t features, std::size_t count, const std::vector<NodeId>& places) {
  std::vector<Segment> found = equal_lengths(features, count);
  auto from = places.begin();
  NodeId first = kFirstNode;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto until = places.end() - static_cast<std::ptrdiff_t>(found.size() - 1 - i);
    const auto wanted = static_cast<std::ptrdiff_t>(found[i].last);
    const auto nearest = std::min_element(from, until, [wanted](NodeId a, NodeId b) {
      return std::abs(static_cast<std::ptrdiff_t>(a) - wanted) < std::abs(static_cast<std::ptrdiff_t>(b) - wanted);
    });
    found[i] = {first, *nearest};
    first = *nearest;
    from = nearest + 1;
  }
  return found;
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
  const bool chain = is_chain(network);
  const std::size_t features = feature_count(network);
  const std::size_t most = chain ? features : cuts(network).size() + 1;
  const std::int64_t near = std::clamp<std::int64_t>(wanted, 1, static_cast<std::int64_t>(most));
  std::vector<std::int64_t> counts;
  for (std::size_t count = 2; count <= most; ++count) {
    if (!chain || starting_in_place(network, equal_lengths(features, count)) == nullptr) {
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

base::Result<std::vector<Segment>> sequential(const Network& network, std::int64_t wanted) {
  const std::size_t features = feature_count(network);
  if (wanted < 1 || wanted > static_cast<std::int64_t>(features)) {
    return base::wrong(kFlag,
                       fmt::format("takes seq:N with N from 1 to {}, the layers of the features of {}, not {}",
                                   features, network.name, wanted),
                       working_counts(network, wanted));
  }
  const auto count = static_cast<std::size_t>(wanted);
  if (!is_chain(network)) {
    const std::vector<NodeId> places = cuts(network);
    if (places.size() + 1 < count) {
      return base::wrong(kFlag,
                         fmt::format("seq:{} needs {} cuts that one tensor alone crosses, but the features of {} have "
                                     "{}",
                                     wanted, count - 1, network.name, places.size()),
                         working_counts(network, wanted));
    }
    return near_lengths(features, count, places);
  }
  std::vector<Segment> found = equal_lengths(features, count);
  if (const Segment* bad = starting_in_place(network, found)) {
    return base::wrong(kFlag,
                       fmt::format("seq:{} begins a checkpointed segment of {} at {}, an in-place ReLU, which PyTorch "
                                   "refuses in backward",
                                   wanted, network.name, network.nodes[bad->first].name),
                       working_counts(network, wanted));
  }
  return found;
}

base::Result<std::vector<Segment>> all_segments(const Network& network, const Checkpointing& checkpointing) {
  switch (checkpointing.kind) {
    case Checkpointing::Kind::none: return std::vector<Segment>{};
    case Checkpointing::Kind::block: return blocks(network);
    case Checkpointing::Kind::sequential: return sequential(network, checkpointing.segments);
  }
  return std::vector<Segment>{};
}

}  // namespace

base::Result<std::vector<Segment>> segments(const Network& network, const Checkpointing& checkpointing) {
  base::Result<std::vector<Segment>> found = all_segments(network, checkpointing);
  if (found && !found->empty()) {  // where autograd saves nothing, as of what is frozen, a checkpoint keeps nothing
    const graph::Flow flow = graph::flow_of(network);
    std::erase_if(*found,
                  [&](const Segment& segment) { return packed_of(network, flow, segment).first == segment.last; });
  }
  return found;
}

}  // namespace vggplan::lowering
