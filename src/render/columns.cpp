// SPDX-License-Identifier: MIT
// Which columns of a table are shown.
#include <algorithm>
#include <stdexcept>

#include "render/tables.hpp"

namespace vggplan::render {

namespace {

void drop_column(Table& table, std::string_view key) {
  const auto found =
      std::find_if(table.columns.begin(), table.columns.end(), [&](const Column& c) { return c.key == key; });
  if (found == table.columns.end()) {
    return;
  }
  const auto index = found - table.columns.begin();
  table.columns.erase(found);
  for (std::vector<Cell>& row : table.rows) {
    row.erase(row.begin() + index);
  }
}

bool is_constant(const Table& table, std::string_view key) {
  const auto found =
      std::find_if(table.columns.begin(), table.columns.end(), [&](const Column& c) { return c.key == key; });
  const auto index = static_cast<std::size_t>(found - table.columns.begin());
  return found != table.columns.end() && table.rows.size() > 1 &&
         std::all_of(table.rows.begin(), table.rows.end(),
                     [&](const std::vector<Cell>& row) { return row[index].shown == table.rows.front()[index].shown; });
}

const Cell& cell_of(const Table& table, std::string_view key) {
  const auto found =
      std::find_if(table.columns.begin(), table.columns.end(), [&](const Column& c) { return c.key == key; });
  return table.rows.front().at(static_cast<std::size_t>(found - table.columns.begin()));
}

std::size_t text_width(const Table& table) {
  std::size_t total = 0;
  for (const std::size_t column : column_widths(table)) {
    total += column + (total == 0 ? 0 : 2);
  }
  return total;
}

}  // namespace

Condensed condensed(const Table& table) {
  Condensed result{table, ""};
  for (const Column& column : table.columns) {
    if (!is_constant(table, column.key)) {
      continue;
    }
    const std::string& shown = cell_of(table, column.key).shown;
    drop_column(result.table, column.key);
    if (!shown.empty()) {
      result.shared += (result.shared.empty() ? "In every row: " : ", ") + column.heading + " " + shown;
    }
  }
  return result;
}

Table without_constants(const Table& table, std::initializer_list<std::string_view> keys) {
  Table result = table;
  for (const std::string_view key : keys) {
    if (is_constant(table, key)) {
      drop_column(result, key);
    }
  }
  return result;
}

Table narrowed(Table table, std::size_t columns, std::initializer_list<std::string_view> droppable) {
  for (const std::string_view key : droppable) {
    if (text_width(table) <= columns) {
      break;
    }
    drop_column(table, key);
  }
  return table;
}

Table selected(const Table& table, std::initializer_list<std::string_view> keys) {
  Table result;
  result.title = table.title;
  result.rows.resize(table.rows.size());
  for (const std::string_view key : keys) {
    const auto found =
        std::find_if(table.columns.begin(), table.columns.end(), [&](const Column& c) { return c.key == key; });
    if (found == table.columns.end()) {
      throw std::logic_error("a table lacks the column " + std::string(key));
    }
    const auto index = static_cast<std::size_t>(found - table.columns.begin());
    const bool empty = std::all_of(table.rows.begin(), table.rows.end(),
                                   [&](const std::vector<Cell>& row) { return row[index].shown.empty(); });
    if (empty && !table.rows.empty()) {
      continue;
    }
    result.columns.push_back(*found);
    for (std::size_t row = 0; row < table.rows.size(); ++row) {
      result.rows[row].push_back(table.rows[row][index]);
    }
  }
  return result;
}

}  // namespace vggplan::render
