// SPDX-License-Identifier: MIT
#include "vggplan/base/range.hpp"

#include <fmt/format.h>

namespace vggplan::base {

Status check_range(const Range& range) {
  if (!range.value || (*range.value >= range.least && *range.value <= range.most)) {
    return std::nullopt;
  }
  const bool small = *range.value < range.least;
  return wrong(range.place,
               fmt::format("must be {} to {}{}, but is {}", range.least, range.most, range.why, *range.value),
               small ? fmt::format("give {} or more", range.least) : fmt::format("give at most {}", range.most));
}

}  // namespace vggplan::base
