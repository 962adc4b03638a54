// SPDX-License-Identifier: MIT
#include "vggplan/base/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>

namespace vggplan::base {
namespace {

/// `value` >= 0 with `decimals` places, or with none when it is whole.
std::string plain(double value, int decimals) {
  return fmt::format("{:.{}f}", value, std::trunc(value) == value ? 0 : decimals);
}

/// Places that give three significant digits to a value below 1000.
int decimals_for_three_digits(double value) {
  if (value == 0.0) {
    return 0;
  }
  const int places = 2 - static_cast<int>(std::floor(std::log10(value)));
  return std::max(0, places);
}

std::string three_digits(double value) {
  const double rounded_up = value * (1 + 5e-4);  // 9.996 shows as 10.0, not 10.00
  return plain(value, decimals_for_three_digits(std::trunc(value) == value ? value : rounded_up));
}

std::string with_separators(std::string_view digits) {
  std::string result;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    const bool new_group = i > 0 && (digits.size() - i) % 3 == 0;
    if (new_group) {
      result += ',';
    }
    result += digits[i];
  }
  return result;
}

struct Scaled {
  double value{};
  std::size_t unit{};
};

/// Divides by `base` until the value is below it, counting a value that would be shown as `base` as not below.
Scaled scale(double value, double base, double shown_as_base, std::size_t units) {
  Scaled scaled{value, 0};
  while (scaled.unit + 1 < units && scaled.value >= shown_as_base) {
    scaled.value /= base;
    ++scaled.unit;
  }
  return scaled;
}

std::string sign_of(double value) { return value < 0 ? "-" : ""; }

std::string short_time(double seconds) {
  constexpr std::array<std::string_view, 4> kUnits{"ns", "us", "ms", "s"};
  const Scaled scaled = scale(seconds * 1e9, 1000, 999.5, kUnits.size());
  return fmt::format("{} {}", three_digits(scaled.value), kUnits.at(scaled.unit));
}

/// Minutes and more, in two units: "5 min 03 s", "2 h 05 min", "3 d 04 h".
std::string long_time(double seconds) {
  struct Pair {
    double below{};  ///< seconds
    double small{};  ///< seconds in the smaller unit
    int smalls{};    ///< smaller units in the larger
    std::string_view large_name{};
    std::string_view small_name{};
  };
  constexpr std::array<Pair, 3> kPairs{
      {{3600, 1, 60, "min", "s"}, {48 * 3600, 60, 60, "h", "min"}, {1e15, 3600, 24, "d", "h"}}};
  for (const Pair& pair : kPairs) {
    const double rounded = std::round(seconds / pair.small);
    if (rounded * pair.small < pair.below) {
      const auto total = static_cast<std::int64_t>(rounded);
      return fmt::format("{} {} {:02} {}", format_count(total / pair.smalls), pair.large_name, total % pair.smalls,
                         pair.small_name);
    }
  }
  return fmt::format("{:.2e} s", seconds);
}

/// Whether a character has no shape of its own and changes how others look: it turns the direction of writing, joins,
/// breaks the line, or has no width. Names that hold one can pass for others (Unicode TR 36).
bool is_unseen(std::string_view character) {
  struct Span {
    std::string_view first{};
    std::string_view last{};
  };
  // U+00AD, U+061C, U+200B to U+200F, U+2028 to U+202E, U+2060 to U+206F, U+FEFF, U+FFF9 to U+FFFB, U+E0000 to U+E007F
  constexpr std::array<Span, 8> kSpans{{{"\xc2\xad", "\xc2\xad"},
                                        {"\xd8\x9c", "\xd8\x9c"},
                                        {"\xe2\x80\x8b", "\xe2\x80\x8f"},
                                        {"\xe2\x80\xa8", "\xe2\x80\xae"},
                                        {"\xe2\x81\xa0", "\xe2\x81\xaf"},
                                        {"\xef\xbb\xbf", "\xef\xbb\xbf"},
                                        {"\xef\xbf\xb9", "\xef\xbf\xbb"},
                                        {"\xf3\xa0\x80\x80", "\xf3\xa0\x81\xbf"}}};
  // UTF-8 sorts by bytes as by numbers.
  return std::any_of(kSpans.begin(), kSpans.end(),
                     [&](const Span& span) { return span.first <= character && character <= span.last; });
}

/// Length of the UTF-8 sequence at the start of `text`; 1 where there is none.
std::size_t character_length(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const std::size_t length = lead >= 0xc2 && lead < 0xe0   ? 2
                             : lead >= 0xe0 && lead < 0xf0 ? 3
                             : lead >= 0xf0 && lead < 0xf5 ? 4
                                                           : 1;
  if (length > text.size()) {
    return 1;
  }
  const bool whole = std::all_of(text.begin() + 1, text.begin() + static_cast<std::ptrdiff_t>(length),
                                 [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U; });
  return whole ? length : 1;
}

/// Length of the well-formed UTF-8 sequence of a printable character at the start of `text`, or 0.
std::size_t printable_prefix(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  const std::size_t length = character_length(text);
  if (lead < 0x80 || length == 1) {
    return lead >= 0x20 && lead < 0x7f ? 1 : 0;
  }
  const bool overlong = (lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xf0 && byte(1) < 0x90);
  const bool beyond = (lead == 0xed && byte(1) >= 0xa0) || (lead == 0xf4 && byte(1) >= 0x90);
  const bool control = lead == 0xc2 && byte(1) < 0xa0;  // U+0080 to U+009F
  return overlong || beyond || control || is_unseen(text.substr(0, length)) ? 0 : length;
}

}  // namespace

std::string format_bytes(Bytes size) {
  constexpr std::array<std::string_view, 6> kUnits{"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  constexpr std::size_t kGigabytes = 3;
  const double bytes = std::abs(size.as_double());
  Scaled scaled = scale(bytes, 1024, 1024, kUnits.size());
  const auto decimals = [](const Scaled& s) {
    return s.unit == 0 ? 0 : s.unit >= kGigabytes ? 2 : s.value < 99.95 ? 1 : 0;
  };
  const double half_of_last_place = 0.5 * std::pow(10, -decimals(scaled));
  if (scaled.unit + 1 < kUnits.size() && scaled.value + half_of_last_place >= 1024) {
    scaled = {scaled.value / 1024, scaled.unit + 1};
  }
  return fmt::format("{}{} {}", sign_of(size.as_double()), plain(scaled.value, decimals(scaled)),
                     kUnits.at(scaled.unit));
}

std::string format_decimal_bytes(Bytes size) { return format_scaled(size.as_double(), "B"); }

std::string format_seconds(Seconds time) {
  const double seconds = std::abs(time.count());
  if (!std::isfinite(seconds)) {
    return fmt::format("{} s", time.count());
  }
  if (seconds == 0.0) {
    return "0 s";
  }
  return sign_of(time.count()) + (seconds < 59.95 ? short_time(seconds) : long_time(seconds));
}

std::string format_times(std::int64_t count) { return count == 1 ? "once" : fmt::format("{} times", count); }

std::string format_count(std::int64_t count) {
  const std::string digits = fmt::format("{}", count);
  const std::string_view unsigned_digits = std::string_view(digits).substr(count < 0 ? 1 : 0);
  return (count < 0 ? "-" : "") + with_separators(unsigned_digits);
}

std::string format_scaled(double value, std::string_view unit) {
  constexpr std::array<std::string_view, 9> kPrefixes{"", "k", "M", "G", "T", "P", "E", "Z", "Y"};
  if (!std::isfinite(value)) {
    return fmt::format("{} {}", value, unit);
  }
  const Scaled scaled = scale(std::abs(value), 1000, 999.5, kPrefixes.size());
  return fmt::format("{}{} {}{}", sign_of(value), three_digits(scaled.value), kPrefixes.at(scaled.unit), unit);
}

std::string format_usd(Usd amount) {
  const double dollars = std::abs(amount.count());
  if (!std::isfinite(dollars)) {
    return fmt::format("${}", amount.count());
  }
  if (dollars > 0 && dollars < 0.005) {
    return sign_of(amount.count()) + "<$0.01";
  }
  const std::string text = fmt::format("{:.2f}", dollars);
  const std::string_view whole = std::string_view(text).substr(0, text.size() - 3);
  return fmt::format("{}${}{}", sign_of(amount.count()), with_separators(whole), text.substr(whole.size()));
}

std::string quoted(std::string_view text) {
  constexpr std::size_t kLongest = 60;
  std::string result = "'";
  for (std::size_t at = 0; at < text.size();) {
    if (at >= kLongest) {
      return result + "...'";
    }
    const std::size_t length = printable_prefix(text.substr(at));
    if (length == 0) {
      result += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[at]));
      ++at;
    } else {
      result += text.substr(at, length);
      at += length;
    }
  }
  return result + "'";
}

std::string printable(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const std::size_t shown = printable_prefix(text);
    result += shown == 0 ? "?" : text.substr(0, shown);
    text.remove_prefix(std::max(shown, character_length(text)));
  }
  return result;
}

std::string text_position(std::string_view text, std::size_t byte, std::size_t line) {
  const std::string_view before = text.substr(0, std::min(byte == 0 ? 0 : byte - 1, text.size()));
  line += static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n'));
  const std::size_t start = before.rfind('\n');
  const std::size_t column = before.size() - (start == std::string_view::npos ? 0 : start + 1) + 1;
  return fmt::format("{}:{}", line, column);
}

std::string not_json(std::string_view parser_message) {
  const auto skip = [&](std::string_view start, std::string_view end) {
    const std::size_t found = parser_message.starts_with(start) ? parser_message.find(end) : std::string_view::npos;
    parser_message.remove_prefix(found == std::string_view::npos ? 0 : found + end.size());
  };
  skip("[json.exception", "] ");
  skip("parse error", ": ");
  skip("syntax error while parsing ", "parsing ");
  const std::string rest = quoted(parser_message);
  return fmt::format("is not JSON: {}", std::string_view(rest).substr(1, rest.size() - 2));
}

}  // namespace vggplan::base
