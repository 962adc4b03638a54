// SPDX-License-Identifier: MIT
// libFuzzer's way in: the variable VGGPLAN_FUZZ names the target, since libFuzzer owns the command line.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>

#include "targets.hpp"

namespace {

const vggplan::fuzz::Target& chosen() {
  const char* variable = std::getenv("VGGPLAN_FUZZ");
  const std::string_view name = variable == nullptr ? "" : variable;
  for (const vggplan::fuzz::Target& target : vggplan::fuzz::kTargets) {
    if (target.name == name) {
      return target;
    }
  }
  std::cerr << "VGGPLAN_FUZZ names the target:";
  for (const vggplan::fuzz::Target& target : vggplan::fuzz::kTargets) {
    std::cerr << ' ' << target.name;
  }
  std::cerr << '\n';
  std::exit(1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const vggplan::fuzz::Target& kTarget = chosen();
  kTarget.take(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
