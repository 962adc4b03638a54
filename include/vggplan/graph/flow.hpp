// SPDX-License-Identifier: MIT
// How values and gradients flow through a network: computed once, asked by all that lowers it.
#pragma once

#include <vector>

#include "vggplan/graph/graph.hpp"

namespace vggplan::graph {

struct Flow {
  std::vector<NodeId> last_use{};  ///< the last node that reads the output, or a variable's end; itself if none
  std::vector<std::vector<NodeId>> ends{};  ///< variables that end with each node and that it does not read, last first
  std::vector<bool> needs_gradient{};       ///< of its output: it, or what comes before it, is trained
};
Flow flow_of(const Network& network);

/// Whether the node has parameters that are trained.
bool trains(const Node& node);

}  // namespace vggplan::graph
