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
  std::int64_t side{224};    ///< of the square images that its counts are published for
  std::int64_t multiple{1};  ///< of which the sides of images must be, so that maps that meet are equal
  bool batch_norm{false};    ///< among its layers
};
/// In the order in which they are listed. VGG is not among them.
std::vector<Architecture> architectures();

/// VGG's classes and images for any other name.
Architecture architecture_of(std::string_view name);

}  // namespace vggplan::graph
