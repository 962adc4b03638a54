// SPDX-License-Identifier: MIT
// Files of the repository as they were when the program was built. cmake/embed.cmake writes them.
#pragma once

#include <string_view>

namespace vggplan::base {

struct EmbeddedFile {
  std::string_view path{};  ///< relative to their folder
  std::string_view text{};
};

}  // namespace vggplan::base
