// SPDX-License-Identifier: MIT
// Limits of whole numbers that a person gives.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "vggplan/base/result.hpp"

namespace vggplan::base {

struct Range {
  std::string_view place{};
  std::optional<std::int64_t> value{};  ///< nothing is within every range
  std::int64_t least{1};
  std::int64_t most{};
  std::string_view why{};  ///< follows the limits in the message
};

Status check_range(const Range& range);

}  // namespace vggplan::base
