// SPDX-License-Identifier: MIT
// The files of configs/ as they were when the program was built.
#pragma once

#include <span>
#include <string_view>

namespace vggplan::catalog {

struct EmbeddedFile {
  std::string_view path{};  ///< relative to configs/, e.g. "gpus/a100-sxm4-80gb.json"
  std::string_view text{};
};

/// Sorted by path.
std::span<const EmbeddedFile> embedded_files();

}  // namespace vggplan::catalog
