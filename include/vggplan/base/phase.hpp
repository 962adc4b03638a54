// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

#include "vggplan/base/names.hpp"

namespace vggplan::base {

/// Parts of a training process, as memory and time are reported by.
enum class Phase { setup, forward, backward, optimizer };
inline constexpr std::size_t kPhases = 4;

}  // namespace vggplan::base
