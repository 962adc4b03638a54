// SPDX-License-Identifier: MIT
#pragma once

#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

namespace vggplan::test {

/// The bytes of a file, by its path in the repository.
inline std::string repository_file(const std::string& path) {
  std::ifstream file(std::string(VGGPLAN_SOURCE_DIR) + "/" + path, std::ios::binary);
  if (!file) {
    throw std::invalid_argument("cannot read " + path);
  }
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace vggplan::test
