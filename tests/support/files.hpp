// SPDX-License-Identifier: MIT
#pragma once

#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace vggplan::test {

/// The bytes of a file, by its path in the repository.
inline std::string repository_file(const std::string& path) {
  std::ifstream file(std::string(VGGPLAN_SOURCE_DIR) + "/" + path, std::ios::binary);
  if (!file) {
    throw std::invalid_argument("cannot read " + path);
  }
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Lines of `text`, without their ends.
inline std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  std::istringstream stream{std::string(text)};
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(line);
  }
  return lines;
}

}  // namespace vggplan::test
