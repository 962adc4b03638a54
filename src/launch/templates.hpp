// SPDX-License-Identifier: MIT
// The files of templates/ as they were when the program was built.
#pragma once

#include <span>

#include "vggplan/base/embedded.hpp"

namespace vggplan::launch {

/// Sorted by path.
std::span<const base::EmbeddedFile> template_files();

}  // namespace vggplan::launch
