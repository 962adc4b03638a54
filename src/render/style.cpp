// SPDX-License-Identifier: MIT
#include "render/style.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "vggplan/base/format.hpp"

namespace vggplan::render {

namespace {

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U; }

std::string repeat(std::string_view unit, std::size_t times) {
  std::string result;
  for (std::size_t i = 0; i < times; ++i) {
    result += unit;
  }
  return result;
}

struct Cells {
  std::size_t first{};
  std::size_t count{};
};

/// Whole cells of a bar. Both ends are rounded alike, so that bars which follow each other stay in touch.
Cells cells(double from, double to, std::size_t columns) {
  const auto at = [columns](double fraction) {
    const double clamped = std::clamp(fraction, 0.0, 1.0);
    return static_cast<std::size_t>(std::lround(clamped * static_cast<double>(columns)));
  };
  Cells result{at(from), 0};
  result.count = std::max(at(to), result.first) - result.first;
  if (result.count == 0 && to > from) {
    result.first = std::min(result.first, columns == 0 ? 0 : columns - 1);
    result.count = columns == 0 ? 0 : 1;
  }
  return result;
}

/// Where the first word of `text` ends. A number keeps the word behind it, "62 %" and "27.50 GiB", unless that is a
/// flag.
std::size_t word_end(std::string_view text) {
  const std::size_t end = std::min(text.find(' '), text.size());
  const bool number = end > 0 && text.substr(0, end).find_first_not_of("0123456789.,") == std::string_view::npos;
  return number && end + 1 < text.size() && text[end + 1] != ' ' && text[end + 1] != '-'
             ? std::min(text.find(' ', end + 1), text.size())
             : end;
}

std::string in_ascii(std::string_view text) {
  std::string ascii;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (static_cast<unsigned char>(text[i]) < 0x80) {
      ascii += text[i];
    } else if (!continues(text[i])) {
      ascii += text.substr(i, 2) == "×" ? 'x' : '?';
    }
  }
  return ascii;
}

constexpr std::string_view kGap = "  ";

std::vector<std::size_t> column_widths(const Table& table) {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    std::size_t widest = width(table.columns[i].heading);
    for (const Row& row : table.rows) {
      widest = std::max(widest, width(row.at(i).shown));
    }
    widths.push_back(widest);
  }
  return widths;
}

std::size_t total(const std::vector<std::size_t>& widths) {
  return std::accumulate(widths.begin(), widths.end(), widths.empty() ? 0 : kGap.size() * (widths.size() - 1));
}

/// The widest text gives way, column by column, until the row fits.
std::vector<std::size_t> fitted_widths(const Table& table, std::size_t columns) {
  constexpr std::size_t kNarrowest = 12;
  std::vector<std::size_t> widths = column_widths(table);
  while (total(widths) > columns) {
    std::size_t* widest = nullptr;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      const bool can = table.columns[i].align == Align::left && widths[i] > kNarrowest;
      widest = can && (widest == nullptr || widths[i] > *widest) ? &widths[i] : widest;
    }
    if (widest == nullptr) {
      break;
    }
    --*widest;
  }
  return widths;
}

/// One row, on as many lines as its longest cell takes.
std::string text_row(const Table& table, const Row& row, const std::vector<std::size_t>& widths, const Style& style,
                     std::string_view indent, bool heading) {
  std::vector<std::vector<std::string>> cells;
  std::size_t height = 1;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const bool wraps = width(row[i].shown) > widths[i];
    cells.push_back(wraps ? wrap_and_cut(row[i].shown, widths[i]) : std::vector{row[i].shown});
    height = std::max(height, cells.back().size());
  }
  std::string text;
  for (std::size_t y = 0; y < height; ++y) {
    std::string line;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const std::string piece = y < cells[i].size() ? cells[i][y] : "";
      const std::string padded =
          table.columns[i].align == Align::left ? pad_right(piece, widths[i]) : pad_left(piece, widths[i]);
      line += (i == 0 ? "" : std::string(kGap)) + style.tinted(row[i].tone, padded);
    }
    line = trimmed_end(std::move(line));
    text += std::string(indent) + (heading ? style.dim(line) : line) + "\n";
  }
  return text;
}

}  // namespace

std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return !continues(c); }));
}

std::string pad_right(std::string_view text, std::size_t columns) {
  const std::size_t used = width(text);
  return std::string(text) + std::string(columns > used ? columns - used : 0, ' ');
}

std::string pad_left(std::string_view text, std::size_t columns) {
  const std::size_t used = width(text);
  return std::string(columns > used ? columns - used : 0, ' ') + std::string(text);
}

std::vector<std::string> wrap(std::string_view text, std::size_t columns, std::size_t indent, std::size_t used) {
  std::vector<std::string> lines;
  std::string line;
  while (!text.empty()) {
    const std::size_t end = word_end(text);
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (word.empty()) {
      continue;
    }
    if (!line.empty() && (lines.empty() ? used : indent) + width(line) + 1 + width(word) > columns) {
      lines.push_back(std::move(line));
      line.clear();
    }
    line += (line.empty() ? "" : " ") + std::string(word);
  }
  if (!line.empty()) {
    lines.push_back(std::move(line));
  }
  return lines;
}

std::vector<std::string> wrap_and_cut(std::string_view text, std::size_t columns) {
  std::vector<std::string> lines;
  for (const std::string& line : wrap(text, columns)) {
    std::string piece;
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (!continues(line[i]) && width(piece) == columns) {
        lines.push_back(std::move(piece));
        piece.clear();
      }
      piece += line[i];
    }
    lines.push_back(std::move(piece));
  }
  return lines;
}

std::string Style::paint(std::string_view code, std::string_view text) const {
  return options_.color && !code.empty() && !text.empty() ? fmt::format("\x1b[{}m{}\x1b[0m", code, text)
                                                          : std::string(text);
}

std::string Style::category(std::size_t n, std::string_view text) const {
  // The six colours of the basic palette that differ on light and on dark terminals.
  constexpr std::array<std::string_view, 6> kCodes{"34", "32", "35", "36", "33", "31"};
  return paint(kCodes.at(n % kCodes.size()), text);
}

std::string Style::bar(double from, double to, std::size_t columns, bool space) const {
  const Cells run = cells(from, to, columns);
  const std::string_view unit = space ? (options_.unicode ? "░" : ".") : (options_.unicode ? "█" : "#");
  return std::string(run.first, ' ') + repeat(unit, run.count);
}

Document cleaned(const Document& value, bool ascii) {
  const auto clean = [ascii](std::string_view text) {
    return ascii ? in_ascii(base::printable(text)) : base::printable(text);
  };
  if (value.is_string()) {
    return clean(value.get_ref<const std::string&>());
  }
  if (value.is_object()) {
    Document object = Document::object();
    for (const auto& [key, item] : value.items()) {
      object[clean(key)] = cleaned(item, ascii);
    }
    return object;
  }
  if (value.is_array()) {
    Document array = Document::array();
    for (const Document& item : value) {
      array.push_back(cleaned(item, ascii));
    }
    return array;
  }
  return value;
}

std::string trimmed_end(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

Table narrowed(Table table, std::size_t columns) {
  while (total(column_widths(table)) > columns) {
    const auto first = std::max_element(table.columns.begin(), table.columns.end(),
                                        [](const Column& a, const Column& b) { return a.yields < b.yields; });
    if (first == table.columns.end() || first->yields == 0) {
      break;
    }
    drop_column(table, std::string(first->key));
  }
  return table;
}

std::string text_table(const Table& all, const Style& style, std::string_view indent) {
  const std::size_t columns = style.columns() - indent.size();
  const Table table = narrowed(all, columns);
  const std::vector<std::size_t> widths = fitted_widths(table, columns);
  Row headings;
  for (const Column& column : table.columns) {
    headings.push_back({column.heading, {}});
  }
  std::string text = text_row(table, headings, widths, style, indent, true);
  for (const Row& row : table.rows) {
    text += text_row(table, row, widths, style, indent, false);
  }
  return text;
}

}  // namespace vggplan::render
