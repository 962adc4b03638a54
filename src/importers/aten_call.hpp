// SPDX-License-Identifier: MIT
// One node of a torch.export graph (torch/_export/serde/schema.py), as the rows of the table of operators see it.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "importers/checked.hpp"

namespace vggplan::importers::aten {

/// Whole numbers, written as such or as {"as_int": 3}.
std::optional<std::int64_t> size_of(const nlohmann::json& value);
/// A member of an object, or null: files need not have the shape that they should.
const nlohmann::json& member(const nlohmann::json& value, std::string_view key);
/// The member as text, empty where it is none.
std::string text_of(const nlohmann::json& value, std::string_view key);

struct Walk : NodeWalk {
  std::vector<graph::NodeId> fixed_norms{};  ///< batch norms that were exported with training=False
  bool lost_dropout{false};                  ///< a dropout was exported with train=False
};

class Call : public Checked {
 public:
  Call(Walk& walk, const nlohmann::json& node, std::string place);

  graph::NodeId map(std::string_view argument);
  std::vector<graph::NodeId> maps(std::string_view argument);
  const Weight& weight(std::string_view argument);
  [[nodiscard]] bool has(std::string_view argument) const;  ///< and it is not None
  /// The argument, where it is a tensor of this sort.
  template <class T>
  [[nodiscard]] const T* find(std::string_view argument) const {
    const Value* found = value(argument);
    return found == nullptr ? nullptr : std::get_if<T>(found);
  }
  std::int64_t integer(std::string_view argument, std::int64_t otherwise) const;
  double number(std::string_view argument, double otherwise) const;
  bool flag(std::string_view argument, bool otherwise) const;
  std::string text(std::string_view argument) const;
  /// Sizes; nothing stands for one that follows the input.
  std::vector<std::optional<std::int64_t>> integers(std::string_view argument) const;
  std::vector<double> numbers(std::string_view argument) const;
  /// One number for both sides, or two.
  graph::Pair pair(std::string_view argument, graph::Pair otherwise);

  graph::NodeId emit(const graph::Kind& kind, const std::vector<graph::NodeId>& inputs);
  void alias(std::string_view argument);
  void keep(Value output);  ///< of a node that is none of the network's

  [[nodiscard]] bool in_place() const { return in_place_; }
  [[nodiscard]] Walk& walk() { return walk_; }

 private:
  [[nodiscard]] const nlohmann::json& argument(std::string_view name) const;
  [[nodiscard]] const Value* value(std::string_view argument) const;
  [[nodiscard]] std::optional<std::int64_t> size(const nlohmann::json& number) const;
  [[nodiscard]] std::string name_of_node(std::string_view module) const;

  Walk& walk_;
  const nlohmann::json& node_;
  std::string output_{};
  bool in_place_{false};   ///< the operator's name ends in '_'
  std::string changed_{};  ///< what an operator in place changes
  std::string module_{};   ///< that the weights belong to
  bool frozen_{false};
};

/// `target` is what the file calls: "torch.ops.aten.relu_.default". The call has the error, if there is one.
void run_operator(Call& call, std::string_view target);

}  // namespace vggplan::importers::aten
