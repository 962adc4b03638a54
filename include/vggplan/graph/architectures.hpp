// SPDX-License-Identifier: MIT
// The networks that ship beside VGG.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "vggplan/graph/kinds.hpp"

namespace vggplan::graph {

struct Architecture {
  std::string_view name{};
  std::int64_t classes{};  ///< where nobody asks for another number; 1 for a regression
  Objective objective{Objective::cross_entropy};
};
/// In the order in which they are listed. VGG is not among them.
std::vector<Architecture> architectures();

inline constexpr std::int64_t kVggClasses = 1000;
/// Of an architecture, VGG's where it is unknown.
std::int64_t default_classes(std::string_view architecture);

}  // namespace vggplan::graph
