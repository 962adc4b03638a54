// SPDX-License-Identifier: MIT
// What the programs that write a page of docs/ share.
#pragma once

#include <exception>
#include <fstream>
#include <iostream>
#include <string>

namespace vggplan::support {

/// Writes what `document` returns to the file named by the first argument, or to stdout. Returns the exit code.
inline int write_document(std::string (*document)(), int count, char** arguments) {
  try {
    const std::string text = document();
    if (count < 2) {
      std::cout << text;
      return 0;
    }
    std::ofstream file(arguments[1]);
    file << text;
    return file.good() ? 0 : 1;
  } catch (const std::exception& error) {
    std::cerr << arguments[0] << ": " << error.what() << '\n';
    return 1;
  }
}

}  // namespace vggplan::support
