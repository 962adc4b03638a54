// SPDX-License-Identifier: MIT
// What holds for every file that is read as a network.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "vggplan/importers/importers.hpp"

namespace vggplan::test {

inline int read_any(const std::string& bytes) {
  static_cast<void>(importers::is_network(bytes));
  const auto read = importers::read_network(bytes, "net", {3, 64, 64});
  const bool told = read || (!read.error().place.empty() && !read.error().rule.empty());
  const bool readable =
      read || (read.error().rule + read.error().place).find_first_of(std::string("\x1b\0", 2)) == std::string::npos;
  if (!told || !readable || (read && graph::count(read->network).macs < 0)) {
    std::abort();
  }
  return 0;
}

}  // namespace vggplan::test
