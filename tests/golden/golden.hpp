// SPDX-License-Identifier: MIT
// Expected texts in files. VGGPLAN_UPDATE_GOLDEN=1 writes them again.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "support/catch.hpp"
#include "support/files.hpp"

namespace vggplan::test {

inline void write_file(const std::string& path, const std::string& text) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

/// `name`: a file of tests/golden.
inline void compare_golden(const std::string& name, const std::string& actual) {
  const std::string path = std::string(VGGPLAN_SOURCE_DIR) + "/tests/golden/" + name;
  if (std::getenv("VGGPLAN_UPDATE_GOLDEN") != nullptr) {
    write_file(path, actual);
  }
  INFO(path);
  CHECK(actual == repository_file("tests/golden/" + name));
}

}  // namespace vggplan::test
