// SPDX-License-Identifier: MIT
#include "vggplan/graph/flow.hpp"

#include <algorithm>

namespace vggplan::graph {

bool trains(const Node& node) {
  const bool image = std::holds_alternative<Image>(node.kind);  // trained itself, by perceptual and style losses
  return node.trained && (image || !parameter_tensors(node).empty());
}

Flow flow_of(const Network& network) {
  const std::size_t count = network.nodes.size();
  Flow flow{std::vector<NodeId>(count), std::vector<std::vector<NodeId>>(count), std::vector<bool>(count)};
  for (NodeId id = 0; id < count; ++id) {
    const Node& node = network.nodes[id];
    flow.last_use[id] = std::max(id, node.held.value_or(id));
    flow.needs_gradient[id] = trains(node);
    for (const NodeId input : node.inputs) {
      flow.last_use[input] = std::max(flow.last_use[input], id);
      flow.needs_gradient[id] = flow.needs_gradient[id] || flow.needs_gradient[input];
    }
  }
  for (NodeId id = count; id-- > 0;) {
    const NodeId end = flow.last_use[id];
    if (end != id && id != 0 && std::ranges::find(network.nodes[end].inputs, id) == network.nodes[end].inputs.end()) {
      flow.ends[end].push_back(id);
    }
  }
  return flow;
}

}  // namespace vggplan::graph
