// SPDX-License-Identifier: MIT
#include "render/table.hpp"

#include <algorithm>
#include <stdexcept>

#include "render/figures.hpp"

namespace vggplan::render {

namespace {

std::size_t index_of(const Table& table, std::string_view key) {
  const auto found = std::ranges::find_if(table.columns, [&](const Column& c) { return c.key == key; });
  if (found == table.columns.end()) {
    throw std::logic_error("a table lacks the column " + std::string(key));
  }
  return static_cast<std::size_t>(found - table.columns.begin());
}

Cell cell_at(const Spec& spec, const Document& row) {
  const Document::json_pointer pointer(spec.pointer);
  if (!row.contains(pointer)) {
    return {};
  }
  const Document& value = row.at(pointer);
  const bool estimated = value.is_object() && value.contains("value");
  return {figure(key_of(spec), value), estimated ? value.at("value") : value};
}

template <class Holds>
void erase_columns(Table& table, Holds holds) {
  for (std::size_t i = table.columns.size(); i-- > 0;) {
    if (holds(i)) {
      drop_column(table, table.columns[i].key);
    }
  }
}

bool is_constant(const Table& table, std::size_t column) {
  return std::all_of(table.rows.begin(), table.rows.end(),
                     [&](const Row& row) { return row[column].shown == table.rows.front()[column].shown; });
}

}  // namespace

std::string key_of(const Spec& spec) { return spec.pointer.substr(spec.pointer.rfind('/') + 1); }

Table make_table(const Document& rows, const std::vector<Spec>& specs) {
  Table table;
  for (const Spec& spec : specs) {
    table.columns.push_back({key_of(spec), spec.heading, spec.align, spec.yields});
  }
  for (const Document& row : rows) {
    Row cells;
    for (const Spec& spec : specs) {
      cells.push_back(cell_at(spec, row));
    }
    table.rows.push_back(std::move(cells));
  }
  return table;
}

Cell& cell_of(const Table& table, Row& row, std::string_view key) { return row.at(index_of(table, key)); }

void drop_column(Table& table, std::string_view key) {
  const auto index = static_cast<std::ptrdiff_t>(index_of(table, key));
  table.columns.erase(table.columns.begin() + index);
  for (Row& row : table.rows) {
    row.erase(row.begin() + index);
  }
}

Table without_empty_columns(Table table) {
  erase_columns(table, [&](std::size_t i) {
    return !table.rows.empty() && table.rows.front()[i].shown.empty() && is_constant(table, i);
  });
  return table;
}

Condensed condensed(const Table& table) {
  Condensed result{without_empty_columns(table), ""};
  const auto tells = [&](const Column& column) {
    return !is_constant(result.table, index_of(result.table, column.key));
  };
  if (table.rows.size() < 2 || std::none_of(result.table.columns.begin(), result.table.columns.end(), tells)) {
    return result;  // something has to stay
  }
  erase_columns(result.table, [&](std::size_t i) {
    const bool constant = is_constant(result.table, i);
    if (constant) {
      const std::string told = result.table.columns[i].heading + " " + result.table.rows.front()[i].shown;
      result.shared = told + (result.shared.empty() ? "" : ", " + result.shared);
    }
    return constant;
  });
  result.shared.insert(0, result.shared.empty() ? "" : "In every row: ");
  return result;
}

}  // namespace vggplan::render
