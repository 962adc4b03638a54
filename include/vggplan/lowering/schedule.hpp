// SPDX-License-Identifier: MIT
// The order in which one training step visits the nodes.
#pragma once

#include <cstddef>
#include <vector>

#include "vggplan/base/result.hpp"
#include "vggplan/graph/graph.hpp"
#include "vggplan/job/job.hpp"

namespace vggplan::lowering {

/// `recompute` is the second forward of a checkpointed segment, during backward.
enum class Pass { forward, recompute, backward };

inline constexpr graph::NodeId kFirstNode = 1;  ///< that is a layer: behind the image

struct Visit {
  Pass pass{Pass::forward};
  graph::NodeId node{};
  std::size_t segment{};  ///< index of the checkpointed segment it belongs to, or kNoSegment
  bool operator==(const Visit&) const = default;
};
inline constexpr std::size_t kNoSegment = static_cast<std::size_t>(-1);

/// Half-open range of nodes that torch.utils.checkpoint wraps.
struct Segment {
  graph::NodeId first{};
  graph::NodeId last{};
  bool operator==(const Segment&) const = default;
};

/// Checkpointed segments of the network, in order. `block`: the layers up to and including each pool,
/// and what follows the last pool of `features`. `seq:N`: checkpoint_sequential over `features`, in
/// segments of length / N layers; the last of the N, with the remainder, runs normally.
/// Error where N exceeds the layers, or a segment would start with an in-place ReLU, which autograd refuses.
base::Result<std::vector<Segment>> segments(const graph::Network& network, const job::Checkpointing& checkpointing);

/// Index of the segment that holds the node, or kNoSegment.
std::size_t segment_of(const std::vector<Segment>& segments, graph::NodeId id);

/// Forward visits, then (training) backward visits, with recomputation just before the backward of
/// each checkpointed segment. Recomputation stops after the last tensor that backward needs
/// (torch.utils.checkpoint's early stop): a segment's final convolution is not run again. Inference
/// keeps nothing, so nothing is checkpointed there: no visit belongs to a segment.
std::vector<Visit> schedule(const graph::Network& network, const std::vector<Segment>& segments, job::Mode mode);

}  // namespace vggplan::lowering
