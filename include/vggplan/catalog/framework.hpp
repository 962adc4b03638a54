// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "vggplan/base/result.hpp"
#include "vggplan/lowering/framework.hpp"

namespace vggplan::catalog {

/// The profile of that name.
using FindFramework = std::function<base::Result<lowering::Framework>(std::string_view name)>;

/// A framework profile from the text of configs/frameworks/<name>.json. `shown` is what errors call the file. What a
/// profile with `rules_of` does not say is as in the one that it names, which has to say all itself.
base::Result<lowering::Framework> read_framework(std::string_view text, const std::string& shown,
                                                 const FindFramework& find = {});

}  // namespace vggplan::catalog
