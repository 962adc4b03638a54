// SPDX-License-Identifier: MIT
// Lines of CSV (RFC 4180) without line breaks in cells: that is what logs and price lists of clouds are. A reader of
// our own, since libcsv tells no column of what is wrong, and libfccp reads files and wants its columns known at build.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "vggplan/base/result.hpp"

namespace vggplan::base {

/// A text's next line without its end; whether that end was there.
struct Line {
  std::string_view text{};
  bool whole{false};
};
Line next_line(std::string_view& text);
std::string_view trimmed(std::string_view text);

struct CsvCell {
  std::string text{};    ///< without quotes and without blanks around it
  std::size_t column{};  ///< in the line, from 1: what errors name
};

/// The cells of a line. A quote opens a cell that may hold commas; two quotes in it are one. `place`: file:line.
Result<std::vector<CsvCell>> csv_cells(std::string_view line, std::string_view place);

}  // namespace vggplan::base
