// SPDX-License-Identifier: MIT
// Tables on a terminal: columns that yield, and cells that break, until the rows fit.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "render/style.hpp"

namespace vggplan::render {

/// Within the columns of `style`: first columns give way, then texts are broken. Figures are not.
std::string text_table(const Table& table, const Style& style, std::string_view indent);

/// Without columns that yield, the readiest first, until the table is no wider than `columns` or none is left.
Table narrowed(Table table, std::size_t columns);

std::string trimmed_end(std::string line);

}  // namespace vggplan::render
