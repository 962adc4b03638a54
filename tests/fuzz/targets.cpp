// SPDX-License-Identifier: MIT
#include "targets.hpp"

#include <array>

namespace vggplan::fuzz {

std::span<const Target> targets() {
  static constexpr std::array<Target, 12> kTargets{{
      {"allocator", allocator},
      {"arguments", arguments},
      {"graphs", graphs},
      {"measurements", measurements},
      {"onnx", onnx},
      {"prices", prices},
      {"pt2", pt2},
      {"records", records},
      {"reports", reports},
      {"runs", runs},
      {"settings", settings},
      {"units", units},
  }};
  return kTargets;
}

}  // namespace vggplan::fuzz
