// SPDX-License-Identifier: MIT
// The files of configs/ as they were when the program was built.
#pragma once

#include <span>

#include "vggplan/base/embedded.hpp"

namespace vggplan::catalog {

/// Sorted by path, e.g. "gpus/a100-sxm4-80gb.json".
std::span<const base::EmbeddedFile> embedded_files();

}  // namespace vggplan::catalog
