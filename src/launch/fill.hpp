// SPDX-License-Identifier: MIT
// Templates: texts with placeholders.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace vggplan::launch {

/// By the name of the placeholder. One without a value does not apply: its line is left out.
using Values = std::map<std::string, std::optional<std::string>, std::less<>>;

/// `text` with every @NAME@ replaced. Further lines of a value are indented like the one that its placeholder is on.
/// Throws std::out_of_range where a placeholder is not among the values.
std::string fill(std::string_view text, const Values& values);

}  // namespace vggplan::launch
