// SPDX-License-Identifier: MIT
// Gives each target the files of its folder in the corpus, so that what fuzzing found stays found without libFuzzer.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <set>

#include "targets.hpp"

namespace {

namespace fs = std::filesystem;

std::size_t replay(const vggplan::fuzz::Target& target, const fs::path& folder) {
  std::set<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    files.insert(entry.path());
  }
  for (const fs::path& path : files) {
    std::cout << path.string() << std::endl;  // whatever happens next, it is known with what
    std::ifstream file(path, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    target.take(text);
    // Cut short, too: readers fail where text ends too early.
    constexpr std::size_t kCuts = 4;
    for (std::size_t length = 0; length < text.size(); length += std::max<std::size_t>(1, text.size() / kCuts)) {
      target.take(text.substr(0, length));
    }
  }
  return files.size();
}

}  // namespace

int main(int count, char** arguments) {
  std::size_t replayed = 0;
  for (const vggplan::fuzz::Target& target : vggplan::fuzz::kTargets) {
    const std::size_t files = count == 2 ? replay(target, fs::path(arguments[1]) / target.name) : 0;
    if (files == 0) {
      std::cerr << "no inputs of " << target.name << ": give the folder of the corpus\n";
      return 1;
    }
    replayed += files;
  }
  std::cout << replayed << " inputs replayed\n";
  return 0;
}
