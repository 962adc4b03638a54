// SPDX-License-Identifier: MIT
// What people write for a GPU, and which name of the catalogue they mean.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vggplan::catalog {

struct NameMatch {
  enum class Kind {
    found,      ///< `name` it is
    ambiguous,  ///< one of `others`, and no default is documented
    unknown,
  };
  Kind kind{Kind::unknown};
  std::string name{};
  std::vector<std::string> others{};  ///< the other names that the text could mean
};

/// Case, separators, vendor words and the order of words do not matter; a text that leaves words out
/// must leave in what names the chip ("a100", not "80gb"). Aliases decide between variants.
NameMatch match_gpu_name(std::string_view text, std::span<const std::string> names);

/// "rtx 3060" and 12 of "RTX 3060 12GB"; nothing where no word, or several, tell a size.
struct NameAndSize {
  std::string name{};
  std::int64_t gigabytes{};
};
std::optional<NameAndSize> without_memory(std::string_view text);

/// The form of a card that nobody has without a laptop around it.
bool is_laptop(std::string_view name);

}  // namespace vggplan::catalog
