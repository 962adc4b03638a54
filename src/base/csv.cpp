// SPDX-License-Identifier: MIT
#include "vggplan/base/csv.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace vggplan::base {

namespace {

constexpr std::size_t kMostColumns = 10'000;

/// What stands between the quote at `from` and the one that closes it; `from` moves behind that one.
Result<std::string> quoted_text(std::string_view line, std::size_t& from, std::string_view place) {
  const std::size_t opened = from++;
  std::string text;
  while (true) {
    const std::size_t quote = line.find('"', from);
    if (quote == std::string_view::npos) {
      return wrong(fmt::format("{}:{}", place, opened + 1), "opens a quote that the line does not close",
                   "close it, and write a quote within a cell twice");
    }
    text += line.substr(from, quote - from);
    from = quote + 1;
    if (from >= line.size() || line[from] != '"') {
      return text;
    }
    text += line[from++];
  }
}

}  // namespace

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const std::size_t from = text.find_first_not_of(kBlank);
  return from == std::string_view::npos ? "" : text.substr(from, text.find_last_not_of(kBlank) - from + 1);
}

Line next_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const Line line{text.substr(0, end), end != std::string_view::npos};
  text.remove_prefix(line.whole ? end + 1 : text.size());
  return line;
}

Result<std::vector<CsvCell>> csv_cells(std::string_view line, std::string_view place) {
  std::vector<CsvCell> cells;
  for (std::size_t at = 0;; ++at) {
    if (cells.size() == kMostColumns) {
      return wrong(place, fmt::format("has more than {} columns", kMostColumns));
    }
    at = std::min(line.find_first_not_of(" \t", at), line.size());
    CsvCell cell{"", at + 1};
    if (at < line.size() && line[at] == '"') {
      const std::string text = TRY(quoted_text(line, at, place));
      cell.text = trimmed(text);
      at = std::min(line.find_first_not_of(" \t\r", at), line.size());
      if (at < line.size() && line[at] != ',') {
        return wrong(fmt::format("{}:{}", place, at + 1), "has text behind the quote that closes a cell",
                     "put a comma between cells");
      }
    } else {
      const std::size_t end = std::min(line.find(',', at), line.size());
      cell.text = trimmed(line.substr(at, end - at));
      at = end;
    }
    cells.push_back(std::move(cell));
    if (at == line.size()) {
      return cells;
    }
  }
}

}  // namespace vggplan::base
