// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "vggplan/base/result.hpp"
#include "vggplan/lowering/framework.hpp"

namespace vggplan::catalog {

/// A framework profile from the text of configs/frameworks/<name>.json. `shown` is what errors call the file.
base::Result<lowering::Framework> read_framework(std::string_view text, const std::string& shown);

}  // namespace vggplan::catalog
