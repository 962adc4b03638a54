// SPDX-License-Identifier: MIT
// One node of an ONNX graph, as the rows of the table of operators see it.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "importers/checked.hpp"
#include "importers/onnx_file.hpp"

namespace vggplan::importers::onnx {

struct Walk : NodeWalk {
  const Graph& graph;
  std::map<std::string, std::vector<std::size_t>, std::less<>> readers{};  ///< of each value: indices of nodes
  std::set<std::size_t> fused{};  ///< nodes that an earlier one has taken in: the product of SiLU, the bias of MatMul
  std::set<graph::NodeId> aliased{};
};

class Call : public Checked {
 public:
  Call(Walk& walk, std::size_t index, std::string place)
      : Checked(walk, std::move(place)),
        walk_(walk),
        node_(walk.graph.nodes[index]),
        index_(index),
        output_(node_.outputs.empty() ? "" : node_.outputs.front()) {}

  graph::NodeId map(std::size_t input);  ///< a map of features
  const Weight& weight(std::size_t input);
  bool has(std::size_t input) const { return input < node_.inputs.size() && !node_.inputs[input].empty(); }
  /// The input, where it is of this sort.
  template <class T>
  [[nodiscard]] const T* find(std::size_t input) const {
    const Value* found = value(input);
    return found == nullptr ? nullptr : std::get_if<T>(found);
  }
  std::optional<Numbers> constant(std::size_t input) const;
  std::optional<Numbers> constant_or_attribute(std::size_t input, std::string_view name) const;

  std::int64_t integer(std::string_view name, std::int64_t otherwise) const {
    return attribute(name, &Attribute::integer, otherwise);
  }
  double number(std::string_view name, double otherwise) const {
    return attribute(name, &Attribute::number, otherwise);
  }
  std::string text(std::string_view name, std::string otherwise) const {
    return attribute(name, &Attribute::text, std::move(otherwise));
  }
  std::vector<std::int64_t> integers(std::string_view name, std::vector<std::int64_t> otherwise) const {
    return attribute(name, &Attribute::integers, std::move(otherwise));
  }
  graph::Pair pair(std::string_view name, std::int64_t otherwise);
  graph::Pair pads();  ///< the same on both sides

  void emit(const graph::Kind& kind) { emit(kind, {map(0)}); }
  void emit(const graph::Kind& kind, const std::vector<graph::NodeId>& inputs);
  void alias(std::size_t input);  ///< the output is that input
  void keep(Value output);        ///< of a node that is none of the network's

  /// The one node that reads the output, if it is of this operator.
  const Node* only_reader(std::string_view op) const;
  void fuse_reader();  ///< what is emitted is that node's output, and the node is left out
  /// Whether nothing else reads the input, and what made it does not need it for backward.
  bool may_work_in_place(std::size_t readers = 1);

  [[nodiscard]] const Node& node() const { return node_; }
  [[nodiscard]] Walk& walk() { return walk_; }

 private:
  [[nodiscard]] const Value* value(std::size_t input) const;  ///< null where nothing made it
  template <class T>
  T attribute(std::string_view name, T Attribute::*member, T otherwise) const {
    const auto found = node_.attributes.find(name);
    return found == node_.attributes.end() ? otherwise : found->second.*member;
  }
  std::string name_of_node() const;

  Walk& walk_;
  const Node& node_;
  std::size_t index_{};
  std::string output_{};
};

/// The operator of the call's node. The call has the error, if there is one.
void run_operator(Call& call);

}  // namespace vggplan::importers::onnx
