// SPDX-License-Identifier: MIT
// The order in which one training step visits the nodes.
#pragma once

#include <cstddef>
#include <vector>

#include "vggplan/base/result.hpp"
#include "vggplan/graph/flow.hpp"
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

/// Half-open range of nodes that torch.utils.checkpoint wraps. They read one tensor of those before, the first input of
/// the first of them, and what is read of them elsewhere is the output of the last.
struct Segment {
  graph::NodeId first{};
  graph::NodeId last{};
  bool operator==(const Segment&) const = default;
};

/// Checkpointed segments of the network, in order; none where autograd saves nothing. Where `features` are a chain,
/// `block`: the layers up to and including each pool, and what follows the last pool; `seq:N`: checkpoint_sequential,
/// in segments of length / N layers; the last of the N, with the remainder, runs normally. Where they are not, `block`:
/// each residual or dense block (from where its branches part to where they meet, and what follows up to the next block
/// if that holds less than two convolutions) and each chain between of two convolutions or more, up to and including a
/// pool; `seq:N`: the same lengths, each cut moved to the nearest place that one tensor alone crosses. Error where
/// there are not as many cuts, or a segment would start with an in-place ReLU, which autograd refuses.
base::Result<std::vector<Segment>> segments(const graph::Network& network, const job::Checkpointing& checkpointing);

/// What autograd packs of a segment.
struct Packed {
  graph::NodeId first{};  ///< the first node that autograd saves tensors for: with its backward the segment is over
  graph::NodeId last{};   ///< and the last: its backward asks for the segment to run again
  graph::NodeId stop{};   ///< that is run again up to here, excluded (early stop)
};
Packed packed_of(const graph::Network& network, const graph::Flow& flow, const Segment& segment);

/// Forward visits, then (training) backward visits, with recomputation just before the backward of the last node of
/// each checkpointed segment that saves tensors. Recomputation stops after the last tensor that backward needs
/// (torch.utils.checkpoint's early stop): a segment's final convolution is not run again. Inference
/// keeps nothing, so nothing is checkpointed there: no visit belongs to a segment.
std::vector<Visit> schedule(const graph::Network& network, const std::vector<Segment>& segments, job::Mode mode);

}  // namespace vggplan::lowering
