// SPDX-License-Identifier: MIT
// Tables, the same for every format: text, Markdown and HTML show them, CSV writes their raw values.
#pragma once

#include <string>
#include <vector>

#include "render/style.hpp"
#include "vggplan/render/render.hpp"

namespace vggplan::render {

enum class Align { left, right };

struct Column {
  std::string key{};      ///< heading in CSV
  std::string heading{};  ///< for people
  Align align{Align::right};
};

struct Cell {
  std::string shown{};
  Document raw{};
};

struct Table {
  std::string title{};
  std::vector<Column> columns{};
  std::vector<std::vector<Cell>> rows{};  ///< each as long as `columns`
};

/// A cell that shows `value` as figure(key) does; an absent value is empty.
Cell cell(std::string_view key, const Document& object);

std::vector<std::size_t> column_widths(const Table& table);
/// On at most the columns of `style` where texts can be broken: figures are not.
std::string text_table(const Table& table, const Style& style, std::string_view indent);
std::string markdown_table(const Table& table);
std::string html_table(const Table& table);
std::string csv_header(const Table& table);
std::string csv_row(const std::vector<Cell>& row);
std::string csv_table(const Table& table);

std::string escape_html(std::string_view text);
std::string escape_markdown(std::string_view text);

}  // namespace vggplan::render
