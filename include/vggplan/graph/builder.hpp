// SPDX-License-Identifier: MIT
// Puts networks together, node by node, with shapes inferred and counts checked.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "vggplan/graph/graph.hpp"

namespace vggplan::graph {

/// After the first shape that is empty, inputs that do not fit each other, or count beyond 2^53 it adds no more, and
/// finish() says where.
class Builder {
 public:
  Builder(std::string name, Shape image, std::int64_t classes);

  NodeId add(std::string name, Kind kind, std::vector<NodeId> inputs);
  /// Behind the node that was added last.
  NodeId append(std::string name, Kind kind) { return add(std::move(name), kind, {last_}); }
  /// A variable, or the argument of a module that is being called, holds the output of `node` until `until` has run.
  void hold(NodeId node, NodeId until);
  /// What comes next is the head.
  void end_features() { network_.features = network_.nodes.size(); }

  /// No more is added: finish() says why.
  [[nodiscard]] bool failed() const { return problem_.has_value(); }
  [[nodiscard]] NodeId last() const { return last_; }
  [[nodiscard]] const Shape& shape() const { return shape(last_); }
  [[nodiscard]] const Shape& shape(NodeId node) const { return network_.nodes[node].output; }

  /// The loss over the outputs, by default that of the last node.
  base::Result<Network> finish(Objective objective, std::vector<NodeId> outputs = {}) &&;

 private:
  bool refuse(const std::string& what, std::string remedy);
  bool too_large(std::string_view what, std::string_view where);
  bool add_to(std::int64_t& total, std::optional<std::int64_t> amount);
  bool add_elements(const Shape& shape);
  bool check(const Node& node);

  Network network_{};
  NodeId last_{0};
  base::Status problem_{};
  std::int64_t bytes_{};
  std::int64_t parameter_bytes_{};
  std::int64_t flops_{};
  bool trained_before_{false};
};

/// Error where the image or the number of classes is out of range; `why` says what asks for the least side.
base::Status check_sizes(const Shape& image, std::int64_t classes, std::int64_t least_side, std::string_view why);

/// A convolution of VGG with its batch norm and ReLU: conv2_1, bn2_1, relu2_1.
void append_unit(Builder& builder, std::int64_t block, std::int64_t position, std::int64_t width, bool batch_norm);

}  // namespace vggplan::graph
