// SPDX-License-Identifier: MIT
#include "render/tables.hpp"
#include "vggplan/render/render.hpp"

namespace vggplan::render {

std::string csv(const Document& report) { return csv_table(main_table(report)); }

}  // namespace vggplan::render
