// SPDX-License-Identifier: MIT
#include "vggplan/base/dates.hpp"

#include <algorithm>
#include <chrono>

#include "vggplan/base/ascii.hpp"

namespace vggplan::base {

std::optional<std::int64_t> day_number(std::string_view date) {
  constexpr std::string_view kShape = "dddd-dd-dd";
  const bool shaped =
      std::ranges::equal(date, kShape, [](char c, char shape) { return shape == 'd' ? is_digit(c) : c == shape; });
  if (!shaped) {
    return std::nullopt;
  }
  const auto number = [&](std::size_t from, std::size_t length) {
    int value = 0;
    for (const char c : date.substr(from, length)) {
      value = value * 10 + (c - '0');
    }
    return value;
  };
  const std::chrono::year_month_day day{std::chrono::year(number(0, 4)),
                                        std::chrono::month(static_cast<unsigned>(number(5, 2))),
                                        std::chrono::day(static_cast<unsigned>(number(8, 2)))};
  return day.ok() ? std::optional<std::int64_t>(std::chrono::sys_days(day).time_since_epoch().count()) : std::nullopt;
}

std::optional<Days> days(std::string_view date) {
  const std::size_t slash = date.find('/');
  const auto first = day_number(date.substr(0, slash));
  const auto last = slash == std::string_view::npos ? first : day_number(date.substr(slash + 1));
  return first && last && *first <= *last ? std::optional(Days{*first, *last}) : std::nullopt;
}

}  // namespace vggplan::base
