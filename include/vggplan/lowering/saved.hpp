// SPDX-License-Identifier: MIT
// What autograd holds at the end of the forward pass.
#pragma once

#include <vector>

#include "vggplan/base/units.hpp"
#include "vggplan/graph/graph.hpp"
#include "vggplan/job/job.hpp"
#include "vggplan/lowering/schedule.hpp"

namespace vggplan::lowering {

/// Requested bytes for the whole micro-batch. Each storage counts once, for the first layer whose
/// backward keeps it: conv1_1 keeps the image, relu1_1 the output of conv1_1, pool1 its indices.
/// Parameters and buffers are not counted.
struct SavedBytes {
  std::vector<base::Bytes> layers{};  ///< by node
  base::Bytes loss{};                 ///< log-softmax, target and the weight total of cross_entropy
  base::Bytes weight_copies{};        ///< autocast: the 16-bit weights that convolutions and Linear keep

  /// Storages of activations: layers and loss, without the copies of weights.
  [[nodiscard]] base::Bytes activations() const;
  [[nodiscard]] base::Bytes total() const { return activations() + weight_copies; }
};

/// All zero for inference. With checkpointing, a segment keeps its input alone.
SavedBytes saved_bytes(const graph::Network& network, const std::vector<Segment>& segments, const job::Job& job);

}  // namespace vggplan::lowering
