// SPDX-License-Identifier: MIT
// Tables of a report's rows, column by column.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "render/table.hpp"

namespace vggplan::render {

struct Spec {
  std::string_view key{};
  std::string_view heading{};
  std::string_view pointer{};  ///< within a row
  Align align{Align::right};
};

Table make_table(std::string title, const Document& rows, const std::vector<Spec>& specs);

}  // namespace vggplan::render
