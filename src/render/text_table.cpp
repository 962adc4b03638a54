// SPDX-License-Identifier: MIT
#include <algorithm>
#include <numeric>

#include "render/style.hpp"

namespace vggplan::render {

namespace {

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
