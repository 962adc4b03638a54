// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string>

#include "vggplan/base/ascii.hpp"
#include "vggplan/base/checked.hpp"
#include "vggplan/base/format.hpp"
#include "vggplan/base/names.hpp"

namespace vggplan::base {
namespace {

template <class Predicate>
std::string_view take_while(std::string_view& text, Predicate holds) {
  const auto end = std::find_if_not(text.begin(), text.end(), holds);
  const std::string_view taken = text.substr(0, static_cast<std::size_t>(end - text.begin()));
  text.remove_prefix(taken.size());
  return taken;
}

void skip_spaces(std::string_view& text) {
  take_while(text, [](char c) { return c == ' '; });
}

/// "1.5GiB" taken apart. Digits stay text, so that nothing is rounded before the unit is known.
struct Amount {
  std::string_view whole{};
  std::string_view fraction{};
  std::string_view unit{};
};

/// Takes one amount from the front of `text`; none where it is not of the form digits[.digits][ ]letters.
std::optional<Amount> take_amount(std::string_view& text) {
  Amount amount;
  amount.whole = take_while(text, is_digit);
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    amount.fraction = take_while(text, is_digit);
    if (amount.fraction.empty()) {
      return std::nullopt;
    }
  }
  skip_spaces(text);
  amount.unit = take_while(text, is_letter);
  skip_spaces(text);
  return amount.whole.empty() ? std::nullopt : std::optional(amount);
}

std::optional<std::int64_t> whole_number(std::string_view digits) {
  std::optional<std::int64_t> number = 0;
  for (const char digit : digits) {
    number = checked_mul(*number, 10);
    number = number ? checked_add(*number, digit - '0') : number;
    if (!number) {
      return std::nullopt;
    }
  }
  return number;
}

/// The value of the digits behind the point. Eighteen of them decide the last byte of a pebibyte.
double fraction_value(std::string_view digits) {
  double value = 0;
  double weight = 0.1;
  for (const char digit : digits.substr(0, 18)) {
    value += weight * (digit - '0');
    weight /= 10;
  }
  return value;
}

template <class T>
struct Unit {
  std::string_view name{};
  T size{};
};

constexpr std::array<Unit<std::int64_t>, 11> kSizeUnits{{
    {"B", 1},
    {"kB", 1'000},
    {"MB", 1'000'000},
    {"GB", 1'000'000'000},
    {"TB", 1'000'000'000'000},
    {"PB", 1'000'000'000'000'000},
    {"KiB", 1LL << 10},
    {"MiB", 1LL << 20},
    {"GiB", 1LL << 30},
    {"TiB", 1LL << 40},
    {"PiB", 1LL << 50},
}};

/// Longest first: the order in which a compound such as 1h30min must name them.
constexpr std::array<Unit<double>, 7> kTimeUnits{
    {{"d", 86'400}, {"h", 3600}, {"min", 60}, {"m", 60}, {"s", 1}, {"ms", 1e-3}, {"us", 1e-6}}};
constexpr double kLongestDuration = 100 * 365.25 * 86'400;

template <class T, std::size_t N>
const Unit<T>* find_unit(const std::array<Unit<T>, N>& units, std::string_view name) {
  const auto found = std::ranges::find_if(units, [&](const Unit<T>& u) { return same_letters(u.name, name); });
  return found == units.end() ? nullptr : &*found;
}

constexpr std::string_view kSizeRemedy =
    "write a number and a unit, such as 40GiB, 40GB, 512MiB or 1.5TB; a number alone counts bytes";
constexpr std::string_view kDurationRemedy =
    "write numbers and units (d, h, min, s, ms), such as 24h, 90min or 1h30min";

Diagnostic unknown_size_unit(std::string_view text, const Amount& amount, std::string_view place) {
  const bool bare_prefix =
      amount.unit.size() == 1 && std::string_view("kmgtpKMGTP").find(amount.unit) != std::string_view::npos;
  if (bare_prefix) {
    return wrong(place, fmt::format("the unit of {} may be decimal or binary", quoted(text)),
                 fmt::format("write {0}B (powers of 1000) or {0}iB (powers of 1024)", amount.unit));
  }
  return wrong(place, fmt::format("unknown unit {} in the size {}", quoted(amount.unit), quoted(text)),
               std::string(kSizeRemedy));
}

}  // namespace

Result<Bytes> parse_bytes(std::string_view text, std::string_view place) {
  const auto refused = [&](std::string rule) { return wrong(place, std::move(rule), std::string(kSizeRemedy)); };
  std::string_view rest = text;
  if (rest.starts_with('-')) {
    return refused(fmt::format("a size cannot be negative, as {} is", quoted(text)));
  }
  const std::optional<Amount> amount = take_amount(rest);
  if (!amount || !rest.empty() || text.ends_with(' ')) {
    return refused(fmt::format("{} is not a size", quoted(text)));
  }
  const auto* unit = find_unit(kSizeUnits, amount->unit.empty() ? "B" : amount->unit);
  if (unit == nullptr) {
    return unknown_size_unit(text, *amount, place);
  }
  if (unit->size == 1 && !amount->fraction.empty()) {
    return refused(fmt::format("{} is not a whole number of bytes", quoted(text)));
  }
  const std::optional<std::int64_t> number = whole_number(amount->whole);
  const std::optional<std::int64_t> whole = number ? checked_mul(*number, unit->size) : std::nullopt;
  const double part = fraction_value(amount->fraction) * static_cast<double>(unit->size);
  if (!whole || *whole > kLargestExact || *whole + std::llround(part) > kLargestExact) {
    return wrong(place,
                 fmt::format("{} is more than {}, the largest size that is counted", quoted(text),
                             format_bytes(Bytes(kLargestExact))),
                 "check the unit");
  }
  return Bytes(*whole + std::llround(part));
}

std::optional<double> parse_number(std::string_view text) {
  // By strtod: libc++ has no from_chars of floating point before version 20. What strtod reads besides is refused.
  if (text.starts_with('+') || text.find_first_not_of("0123456789+-.eE") != std::string_view::npos) {
    return std::nullopt;
  }
  const std::string copy(text);
  char* end = nullptr;
  errno = 0;
  const double value = std::strtod(copy.c_str(), &end);
  const bool whole = !copy.empty() && end == copy.c_str() + copy.size();
  return whole && errno == 0 ? std::optional(value) : std::nullopt;
}

Result<Seconds> parse_duration(std::string_view text, std::string_view place) {
  const auto refused = [&](std::string rule) { return wrong(place, std::move(rule), std::string(kDurationRemedy)); };
  std::string_view rest = text;
  if (rest.starts_with('-')) {
    return refused(fmt::format("a duration cannot be negative, as {} is", quoted(text)));
  }
  double total = 0;
  double last_unit = std::numeric_limits<double>::infinity();
  do {
    const std::optional<Amount> amount = take_amount(rest);
    if (!amount || text.ends_with(' ')) {
      return refused(fmt::format("{} is not a duration", quoted(text)));
    }
    if (amount->unit.empty()) {
      return refused(fmt::format("the duration {} lacks a unit", quoted(text)));
    }
    const auto* unit = find_unit(kTimeUnits, amount->unit);
    if (unit == nullptr) {
      return refused(fmt::format("unknown unit {} in the duration {}", quoted(amount->unit), quoted(text)));
    }
    if (unit->size >= last_unit) {
      return refused(fmt::format("the units of {} do not go from long to short", quoted(text)));
    }
    last_unit = unit->size;
    const std::optional<std::int64_t> whole = whole_number(amount->whole);
    const double number = whole ? static_cast<double>(*whole) : std::numeric_limits<double>::infinity();
    total += (number + fraction_value(amount->fraction)) * unit->size;
  } while (!rest.empty());
  if (total > kLongestDuration) {
    return wrong(place, fmt::format("{} is more than a hundred years", quoted(text)), "check the unit");
  }
  return Seconds(total);
}

}  // namespace vggplan::base
