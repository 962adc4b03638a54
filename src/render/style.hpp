// SPDX-License-Identifier: MIT
// What a terminal can show: colour, bars, widths, and tables with columns that yield and cells that break.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "render/table.hpp"

namespace vggplan::render {

/// Columns that UTF-8 `text` takes on a terminal. Our own text has no wide characters; a name from
/// elsewhere that has some costs the alignment of its row alone.
std::size_t width(std::string_view text);

std::string pad_right(std::string_view text, std::size_t columns);
std::string pad_left(std::string_view text, std::size_t columns);

/// Like wrap(), and words that are longer than a line are cut: for the cells of a table.
std::vector<std::string> wrap_and_cut(std::string_view text, std::size_t columns);

/// A report whose strings, keys included, are `printable`, and ASCII where that is all that can be shown: done once and
/// before anything else, so that no block of a page can forget it.
Document cleaned(const Document& value, bool ascii = false);

class Style {
 public:
  explicit Style(const TextOptions& options) : options_(options) {}

  [[nodiscard]] std::size_t columns() const { return options_.columns; }
  [[nodiscard]] bool verbose() const { return options_.verbose; }

  [[nodiscard]] std::string bold(std::string_view text) const { return paint("1", text); }
  [[nodiscard]] std::string dim(std::string_view text) const { return paint("2", text); }
  [[nodiscard]] std::string tinted(Tone tone, std::string_view text) const {
    return paint(toned(tone, {"", "1;32", "1;33", "1;31"}), text);
  }
  /// Colour of the n-th category of a chart.
  [[nodiscard]] std::string category(std::size_t n, std::string_view text) const;

  /// A bar from `from` to `to` (fractions of `columns`), blank before it; of `space` that is left over, pale. Anything
  /// above zero shows.
  [[nodiscard]] std::string bar(double from, double to, std::size_t columns, bool space = false) const;

 private:
  [[nodiscard]] std::string paint(std::string_view code, std::string_view text) const;
  TextOptions options_{};
};

/// Within the columns of `style`: first columns give way, then texts are broken. Figures are not.
std::string text_table(const Table& table, const Style& style, std::string_view indent);

/// Without columns that yield, the readiest first, until the table is no wider than `columns` or none is left.
Table narrowed(Table table, std::size_t columns);

std::string trimmed_end(std::string line);

}  // namespace vggplan::render
