// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace vggplan::support {

inline constexpr std::int64_t kMiB = 1048576;

}  // namespace vggplan::support
