// SPDX-License-Identifier: MIT
// Tables of a page, with every column that there is. CSV writes their raw values.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "vggplan/render/render.hpp"

namespace vggplan::render {

enum class Tone { plain, good, warn, bad };
/// What `of` has for `tone`, in the order of the tones.
constexpr std::string_view toned(Tone tone, const std::array<std::string_view, 4>& of) {
  return of.at(static_cast<std::size_t>(tone));
}

enum class Align { left, right };

struct Column {
  std::string key{};      ///< heading in CSV
  std::string heading{};  ///< for people
  Align align{Align::right};
  int yields{};  ///< text that lacks room leaves out the column with the largest first; those with 0 stay
};

struct Cell {
  std::string shown{};
  Document raw{};
  Tone tone{Tone::plain};
};

using Row = std::vector<Cell>;

struct Table {
  std::vector<Column> columns{};
  std::vector<Row> rows{};  ///< each as long as `columns`
};

/// A column of a table that lists rows of a report.
struct Spec {
  std::string pointer{};  ///< within a row; its last part is the column's key
  std::string heading{};
  Align align{Align::right};
  int yields{};
};
std::string key_of(const Spec& spec);
Table make_table(const Document& rows, const std::vector<Spec>& specs);

/// The cell of `row` in the column `key`; the table must have that.
Cell& cell_of(const Table& table, Row& row, std::string_view key);

void drop_column(Table& table, std::string_view key);
Table without_empty_columns(Table table);
/// Without the columns that hold the same in every row, which `shared` tells in a sentence.
struct Condensed {
  Table table{};
  std::string shared{};
};
Condensed condensed(const Table& table);

std::string csv_header(const Table& table);
std::string csv_row(const Row& row);

// What reports hold. Titles are the pages' business.
Table layers_table(const Document& report);      ///< with the totals, if any, as last row
Table alternatives_table(const Document& plan);  ///< the recommendation first
/// Rows of `cells`, which are of plan.max_batch.
Table max_batch_table(const Document& cells);
/// One row for each estimate, with the keys of `point` that a sweep varies.
Table points_table(const Document& estimates);
Table fit_table(const Document& report);
Table by_batch_table(const Document& estimate);
Table changes_table(const Document& diff);
Table check_table(const Document& report);
Table verify_table(const Document& report);

/// The main table of a report, which CSV writes.
Table main_table(const Document& report);

}  // namespace vggplan::render
