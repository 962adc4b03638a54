// SPDX-License-Identifier: MIT
// How much of a network is run and trained.
#pragma once

#include <optional>
#include <string>

#include "vggplan/graph/graph.hpp"

namespace vggplan::graph {

/// What gradients are for.
enum class Trained {
  parameters,
  image,  ///< perceptual and style losses: the network is frozen, and the image is what the optimizer changes
};

/// What of batch norm stays as it is in training.
enum class FrozenNorm {
  none,
  statistics,  ///< eval() of the layers: they normalise by their running statistics
  all,         ///< and weight and bias are not trained
};

struct Scope {
  std::string freeze{"none"};  ///< none, features, all-but-last, first:N convolutions, or a pattern of names
  std::string until{};         ///< the network ends with this node; empty: with its last
  Trained trained{Trained::parameters};
  std::optional<Objective> objective{};  ///< nothing: that of the network
  FrozenNorm norm{FrozenNorm::none};     ///< beside what `freeze` says
  bool operator==(const Scope&) const = default;
};

/// The network as `scope` has it. Frozen nodes have no gradients of their own; their batch norms still see batches, as
/// requires_grad_(False) leaves them in training mode, unless `norm` says otherwise, which is of all batch norms. A
/// pattern may hold * and ?. A network that is cut, or whose image is trained, is lowered by the mean squared error of
/// its output, unless the scope names another objective. Error (Fault::question) where no node has the name, nothing is
/// left for `training`, N is more than there are, or there is no batch norm to freeze.
base::Result<Network> scoped(Network network, const Scope& scope, bool training);

}  // namespace vggplan::graph
