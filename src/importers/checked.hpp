// SPDX-License-Identifier: MIT
// What the readers of nodes have in common, whatever format the nodes are written in.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

#include "vggplan/base/result.hpp"

namespace vggplan::importers {

/// One node of a file. The first error stays, and what follows it is not looked at.
class Checked {
 public:
  explicit Checked(std::string place) : place_(std::move(place)) {}

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
  [[nodiscard]] const base::Status& error() const { return error_; }

 protected:
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
