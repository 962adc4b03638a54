// SPDX-License-Identifier: MIT
// What people write for a GPU, and which name of the catalogue they mean.
#pragma once

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

}  // namespace vggplan::catalog
