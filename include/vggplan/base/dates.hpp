// SPDX-License-Identifier: MIT
// Days of the calendar. No clock is asked: the same input gives the same output.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace vggplan::base {

/// Days from 1970-01-01 to "2026-11-29"; nothing for what is no such date.
std::optional<std::int64_t> day_number(std::string_view date);

/// The first and the last day that are meant.
struct Days {
  std::int64_t first{};
  std::int64_t last{};
  bool operator==(const Days&) const = default;
};

/// "2026-11-29", or an interval of ISO 8601 where no more is known: "2026-01-01/2026-06-30".
std::optional<Days> days(std::string_view date);

}  // namespace vggplan::base
