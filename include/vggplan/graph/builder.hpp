// SPDX-License-Identifier: MIT
// Puts networks together, node by node, with shapes inferred and counts checked.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "vggplan/graph/graph.hpp"

namespace vggplan::graph {

/// After the first shape that is empty or count beyond 2^53 it adds no more, and finish() says where.
class Builder {
 public:
  Builder(std::string name, Shape image, std::int64_t classes);

  NodeId add(std::string name, Kind kind, std::vector<NodeId> inputs);
  /// Behind the node that was added last.
  NodeId append(std::string name, Kind kind) { return add(std::move(name), kind, {last_}); }
  /// A variable holds the output of `node` until `until` has run.
  void hold(NodeId node, NodeId until) { network_.nodes[node].held = until; }
  /// What comes next is the head.
  void end_features() { network_.features = network_.nodes.size(); }

  /// No more is added: a count was too large.
  [[nodiscard]] bool failed() const { return !problem_.empty(); }
  [[nodiscard]] NodeId last() const { return last_; }
  [[nodiscard]] const Shape& shape() const { return shape(last_); }
  [[nodiscard]] const Shape& shape(NodeId node) const { return network_.nodes[node].output; }

  /// The loss over the outputs, by default that of the last node.
  base::Result<Network> finish(Objective objective, std::vector<NodeId> outputs = {}) &&;

 private:
  void fail(std::string_view what, std::string_view where);
  bool add_to(std::int64_t& total, std::optional<std::int64_t> amount);
  bool add_elements(const Shape& shape);
  void check(const Node& node);

  Network network_{};
  NodeId last_{0};
  std::string problem_{};
  std::string problem_node_{};
  std::int64_t bytes_{};
  std::int64_t parameter_bytes_{};
  std::int64_t flops_{};
  bool trained_before_{false};
};

}  // namespace vggplan::graph
