// SPDX-License-Identifier: MIT
// Writes docs/4024x3036.md to the file named, or to stdout.
#include <exception>
#include <fstream>
#include <iostream>

#include "guide/figures/guide.hpp"

int main(int count, char** arguments) {
  try {
    const std::string text = vggplan::guide::document();
    if (count < 2) {
      std::cout << text;
      return 0;
    }
    std::ofstream file(arguments[1]);
    file << text;
    return file.good() ? 0 : 1;
  } catch (const std::exception& error) {
    std::cerr << "guide_report: " << error.what() << '\n';
    return 1;
  }
}
