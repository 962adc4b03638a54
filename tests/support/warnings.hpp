// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <string>

#include "vggplan/estimate/estimate.hpp"

namespace vggplan::support {

inline bool warns(const estimate::Estimate& estimate, const std::string& code) {
  return std::ranges::any_of(estimate.warnings, [&](const estimate::Warning& warning) { return warning.code == code; });
}

}  // namespace vggplan::support
