// SPDX-License-Identifier: MIT
// Where a network that is no chain can be cut.
#pragma once

#include <vector>

#include "vggplan/lowering/schedule.hpp"

namespace vggplan::lowering {

/// By node: the last that reads its output; itself where none does.
std::vector<graph::NodeId> last_reads(const graph::Network& network);

/// Whether the node overwrites its input, which a segment that begins with it has to keep.
bool works_in_place(const graph::Network& network, graph::NodeId id);

/// Nodes of `features` before which the output of the node before is all that later nodes read, in order.
std::vector<graph::NodeId> cuts(const graph::Network& network);

/// Residual and dense blocks, and the chains between: Checkpointing::Kind::block of a network that is no chain.
std::vector<Segment> graph_blocks(const graph::Network& network);

}  // namespace vggplan::lowering
