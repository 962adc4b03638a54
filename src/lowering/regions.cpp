// SPDX-License-Identifier: MIT
#include "lowering/regions.hpp"

#include <algorithm>
#include <optional>
#include <variant>

namespace vggplan::lowering {

using graph::Network;
using graph::NodeId;

std::vector<NodeId> last_reads(const Network& network) {
  std::vector<NodeId> last(network.nodes.size());
  for (NodeId id = 0; id < network.nodes.size(); ++id) {
    last[id] = id;
    for (const NodeId input : network.nodes[id].inputs) {
      last[input] = id;
    }
  }
  return last;
}

bool works_in_place(const Network& network, NodeId id) {
  const auto* activation = std::get_if<graph::Activation>(&network.nodes[id].kind);
  return activation != nullptr && activation->in_place;  // a sum reads two, and cannot come first
}

std::vector<NodeId> cuts(const Network& network) {
  const std::vector<NodeId> last = last_reads(network);
  std::vector<NodeId> found;
  NodeId open = last[0];  // what was made before the node before is read up to here
  for (NodeId id = kFirstNode + 1; id < network.features; ++id) {
    if (open < id && last[id - 1] >= id && !works_in_place(network, id)) {
      found.push_back(id);
    }
    open = std::max(open, last[id - 1]);
  }
  return found;
}

namespace {

/// Walks over [begin, end) and collects segments that one tensor enters and one leaves. Skips that pass over all of the
/// range, as those of U-Net over its encoder, are no concern of a segment which neither makes nor reads them.
class Blocks {
 public:
  explicit Blocks(const Network& network) : network_(network), last_(last_reads(network)) {}

  /// How many blocks with branches there are.
  int add(NodeId begin, NodeId end, int depth = 0) {
    int branched = 0;
    chain_ = begin;
    for (NodeId id = begin; id < end;) {
      const std::optional<NodeId> after = region_end(id, end);
      if (!after) {
        end_chain(id);
        chain_ = ++id;
        continue;
      }
      if (joins(id, *after)) {
        end_chain(id);
        extends_ = add_branched({id, *after}, end, depth);
        chain_ = *after;
        ++branched;
      } else if (id > chain_ && !follows(id, *after)) {
        end_chain(id);
      }
      id = *after;
      if (std::holds_alternative<graph::MaxPool>(network_.nodes[id - 1].kind) && convolutions(chain_, id) >= kEnough) {
        end_chain(id);
      }
    }
    end_chain(end);
    return branched;
  }
  std::vector<Segment> take() { return std::move(found_); }

 private:
  static constexpr std::ptrdiff_t kEnough = 2;  ///< convolutions of a chain that is a block
  static constexpr int kDeepest = 16;           ///< regions within regions that are looked into

  /// A region whose branches meet is a block: true. But where it holds several such, under a skip over all of them, or
  /// enlarges a map, as U-Net's decoder does, those in it are, and it is not.
  bool add_branched(const Segment& region, NodeId end, int depth) {
    const std::size_t count = found_.size();
    const NodeId meet = last_read_below(network_.nodes[region.first].inputs.front(), end);
    const int inside = depth < kDeepest ? add(region.first, meet, depth + 1) : 0;
    if (inside > 1 || std::any_of(at(region.first), at(region.last), enlarges)) {
      return false;
    }
    found_.resize(count);
    found_.push_back(region);
    return true;
  }

  static bool enlarges(const graph::Node& node) {
    const auto* conv = std::get_if<graph::Convolution>(&node.kind);
    return std::holds_alternative<graph::Resize>(node.kind) || (conv != nullptr && conv->transposed);
  }

  /// Behind the smallest region that begins with `first`, and the activation that follows it; nothing where it reads
  /// or makes several tensors.
  [[nodiscard]] std::optional<NodeId> region_end(NodeId first, NodeId end) const {
    const NodeId before = network_.nodes[first].inputs.front();
    NodeId open = last_read_below(before, end);
    for (NodeId id = first; open < end; ++id) {
      if (!std::ranges::all_of(network_.nodes[id].inputs, [&](NodeId in) { return in >= first || in == before; })) {
        return std::nullopt;
      }
      const bool activated =
          id + 1 < end && last_[id] == id + 1 && std::holds_alternative<graph::Activation>(network_.nodes[id + 1].kind);
      if (open <= id && !activated) {
        return id + 1;
      }
      open = std::max(open, last_[id]);
    }
    return std::nullopt;
  }

  [[nodiscard]] NodeId last_read_below(NodeId value, NodeId end) const {
    NodeId id = std::min(last_[value], end - 1);
    while (id > value && std::ranges::find(network_.nodes[id].inputs, value) == network_.nodes[id].inputs.end()) {
      --id;
    }
    return id;
  }

  [[nodiscard]] bool joins(NodeId first, NodeId after) const {
    return std::any_of(at(first), at(after), [](const graph::Node& node) { return node.inputs.size() > 1; });
  }

  /// The region reads the output of the node before, which nobody reads behind it.
  [[nodiscard]] bool follows(NodeId first, NodeId after) const {
    return network_.nodes[first].inputs.front() == first - 1 && last_[first - 1] < after;
  }

  [[nodiscard]] std::ptrdiff_t convolutions(NodeId first, NodeId after) const {
    return std::count_if(at(first), at(after),
                         [](const graph::Node& node) { return std::holds_alternative<graph::Convolution>(node.kind); });
  }

  [[nodiscard]] std::vector<graph::Node>::const_iterator at(NodeId id) const {
    return network_.nodes.begin() + static_cast<std::ptrdiff_t>(id);
  }

  /// A chain is over: a block of its own, the rest of the block that it follows, or too little for either.
  void end_chain(NodeId after) {
    if (convolutions(chain_, after) >= kEnough && !works_in_place(network_, chain_)) {
      found_.push_back({chain_, after});
    } else if (extends_ && chain_ < after && follows(chain_, after)) {
      found_.back().last = after;
    }
    chain_ = after;
    extends_ = false;
  }

  const Network& network_;
  std::vector<NodeId> last_{};
  std::vector<Segment> found_{};
  NodeId chain_{};       ///< where the chain of regions without joins begins
  bool extends_{false};  ///< right behind the last block
};

}  // namespace

std::vector<Segment> graph_blocks(const Network& network) {
  Blocks blocks(network);
  blocks.add(kFirstNode, network.features);
  blocks.add(network.features, network.nodes.size() - 1);
  return blocks.take();
}

}  // namespace vggplan::lowering
