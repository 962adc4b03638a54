// SPDX-License-Identifier: MIT
// The tables that reports hold. Titles are the pages' business.
#pragma once

#include "render/table.hpp"

namespace vggplan::render {

Table layers_table(const Document& report);      ///< with the totals, if any, as last row
Table alternatives_table(const Document& plan);  ///< the recommendation first
/// Rows of `cells`, which are of plan.max_batch.
Table max_batch_table(const Document& cells);
/// One row for each estimate, with the keys of `point` that a sweep varies.
Table points_table(const Document& estimates);
Table by_batch_table(const Document& estimate);
Table changes_table(const Document& diff);
Table check_table(const Document& report);

/// The main table of a report, which CSV writes.
Table main_table(const Document& report);

}  // namespace vggplan::render
