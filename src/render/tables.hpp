// SPDX-License-Identifier: MIT
// The tables that reports hold, with every column that there is; text shows a choice of them.
#pragma once

#include <initializer_list>
#include <string_view>

#include "render/table.hpp"

namespace vggplan::render {

Table layers_table(const Document& report);      ///< with the totals, if any, as last row
Table alternatives_table(const Document& plan);  ///< the recommendation first
Table max_batch_table(const Document& plan);
Table remedies_table(const Document& plan);
Table rejected_table(const Document& plan);
/// One row for each estimate, with the keys of `point` that a sweep varies.
Table points_table(const Document& estimates);
Table by_batch_table(const Document& estimate);
Table catalogue_table(const Document& report);
bool has_one_record(const Document& report);  ///< of a report of the catalogue
Table record_table(const Document& report);   ///< all that is known of the one record, but its sources
Table sources_table(const Document& report);  ///< of the one record
Table diff_inputs_table(const Document& report);
Table diff_table(const Document& report);
Table main_changes_table(const Document& report);   ///< less what follows from others
std::string other_changes(const Document& report);  ///< how many these are, in words; empty where none
/// What each of several changed inputs does, less those that do nothing; no rows where the report does not tell.
Table attribution_table(const Document& report);
std::string idle_inputs(const Document& report);  ///< those that do nothing, in a sentence; empty where none
Table check_table(const Document& report);
std::string skipped_checks(const Document& report);  ///< in a sentence; empty where none
Table assumptions_table(const Document& report);
Table memory_table(const Document& estimate);  ///< the parts of a GPU's memory at the peak

/// The main table of a report, which CSV writes.
Table main_table(const Document& report);

/// The columns named, in that order, without those that are empty in every row.
Table selected(const Table& table, std::initializer_list<std::string_view> keys);
/// Without the columns that hold the same in every row, which `shared` tells in a sentence.
struct Condensed {
  Table table{};
  std::string shared{};
};
Condensed condensed(const Table& table);
/// Without those of the columns named that hold the same in every row.
Table without_constants(const Table& table, std::initializer_list<std::string_view> keys);
/// Without columns, dropped in the order given, until a text table has at most `columns`.
Table narrowed(Table table, std::size_t columns, std::initializer_list<std::string_view> droppable);

}  // namespace vggplan::render
