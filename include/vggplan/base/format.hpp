// SPDX-License-Identifier: MIT
// Sizes, rates and times as people read and write them. Memory in binary units, rates in decimal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "vggplan/base/result.hpp"
#include "vggplan/base/units.hpp"

namespace vggplan::base {

// Whole multiples of a unit are shown without decimals ("40 GiB"), all else rounded ("40.00 GiB").

std::string format_bytes(Bytes size);                            ///< "18.67 GiB", "512 MiB", "37 B"
std::string format_decimal_bytes(Bytes size);                    ///< "147 GB": storage, as sold
std::string format_seconds(Seconds time);                        ///< "171 ms", "2 h 05 min"
std::string format_times(std::int64_t count);                    ///< "once", "3 times"
std::string format_count(std::int64_t count);                    ///< "138,357,544"
std::string format_scaled(double value, std::string_view unit);  ///< "15.5 TFLOP"
std::string format_usd(Usd amount);                              ///< "$12.40"

/// What the user wrote, safe to show in a message: 'text' in quotes, control characters and broken
/// UTF-8 escaped, cut when long.
std::string quoted(std::string_view text);

/// `text` with a question mark for each character that steers a terminal, hides, or is no UTF-8.
std::string printable(std::string_view text);

/// "line:column" of the byte at which a parser of `text` stopped, counted from 1 as parsers do. `line` is the number
/// of the first line.
std::string text_position(std::string_view text, std::size_t byte, std::size_t line = 1);
/// A JSON parser's message without its error number and position, which are said in our own way.
std::string not_json(std::string_view parser_message);

/// "40GiB", "40GB", "512MiB", "1.5TB", "123456" (bytes): each unit means what it says.
Result<Bytes> parse_bytes(std::string_view text, std::string_view place);
/// "24h", "90min", "30s", "400ms", "2d", "1h30min".
Result<Seconds> parse_duration(std::string_view text, std::string_view place);
/// "1.5", "-2e3": the whole text, finite.
std::optional<double> parse_number(std::string_view text);

}  // namespace vggplan::base
