// SPDX-License-Identifier: MIT
#include "vggplan/render/render.hpp"
#include "render/table.hpp"
#include "render/tables.hpp"

namespace vggplan::render {
std::string html(const Document& report) { return html_table(main_table(report)); }
}  // namespace vggplan::render
