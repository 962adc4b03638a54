// SPDX-License-Identifier: MIT
// What the readers of nodes have in common, whatever format the nodes are written in.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "importers/assembly.hpp"
#include "importers/values.hpp"
#include "vggplan/base/result.hpp"

namespace vggplan::importers {

/// What is known while the nodes of a file are walked.
struct NodeWalk {
  Assembly assembly;
  Values values{};
  Names names{};
  bool training{false};                   ///< something is as it is in training
  std::optional<graph::Pair> exported{};  ///< sides of the image that all sizes in the file were written for
};

/// One node of a file. The first error stays, and what follows it is not looked at.
class Checked {
 public:
  Checked(NodeWalk& known, std::string place) : known_(known), place_(std::move(place)) {}

  void fail(std::string rule, std::string remedy = "") {
    if (!error_) {
      error_ = base::wrong(place_, std::move(rule), std::move(remedy));
    }
  }
  void expect(bool holds, std::string_view what) {
    if (!holds) {
      fail(fmt::format("{} is not supported", what));
    }
  }
  /// A size that the file fixes is the one that was meant for the image that it was exported with.
  void expect_exported(const graph::Pair& size) {
    const graph::Shape& image = shape(0);
    if (const auto& given = known_.exported; given && *given != graph::Pair{image.height, image.width}) {
      fail(fmt::format("the file fixes the size {}x{}, and was exported with images of {}x{}", size.height, size.width,
                       given->height, given->width),
           "give --size as the file was exported with, or export with sizes left open (dynamic_shapes, dynamic_axes)");
    }
  }
  [[nodiscard]] const graph::Shape& shape(graph::NodeId id) const { return known_.assembly.shape(id); }
  [[nodiscard]] const base::Status& error() const { return error_; }

 protected:
  /// Nothing where it, or something before it, is refused.
  std::optional<graph::NodeId> add(std::string name, const graph::Kind& kind,
                                   const std::vector<graph::NodeId>& inputs) {
    if (error_) {
      return std::nullopt;
    }
    const auto id = known_.assembly.add(place_, known_.names.unique(std::move(name)), kind, inputs);
    error_ = id ? base::Status() : id.error();
    return id ? std::optional(*id) : std::nullopt;
  }

  NodeWalk& known_;
  std::string place_;
  base::Status error_{};
};

/// The names in a table of operators.
template <class Table>
std::string names_in(const Table& table) {
  std::string list;
  for (const auto& [name, entry] : table) {
    list += (list.empty() ? "" : ", ") + std::string(name);
  }
  return list;
}

}  // namespace vggplan::importers
