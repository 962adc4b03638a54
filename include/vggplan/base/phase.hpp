// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

namespace vggplan::base {

/// Parts of a training process, as memory and time are reported by.
enum class Phase { setup, forward, backward, optimizer };

constexpr std::string_view name_of(Phase phase) {
  switch (phase) {
    case Phase::setup: return "setup";
    case Phase::forward: return "forward";
    case Phase::backward: return "backward";
    case Phase::optimizer: return "optimizer";
  }
  return "";
}

}  // namespace vggplan::base
