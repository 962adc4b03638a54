// SPDX-License-Identifier: MIT
// Words of other tools for what is called otherwise here.
#pragma once

#include <span>
#include <string_view>

namespace vggplan::base {

struct Synonym {
  std::string_view word{};  ///< lower case, with dashes
  std::string_view name{};  ///< what it may be called here: it counts where that can be chosen
};
std::span<const Synonym> synonyms();

}  // namespace vggplan::base
