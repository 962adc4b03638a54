// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>

#include "vggplan/base/names.hpp"

namespace vggplan::base {

/// Parts of a training process, as memory and time are reported by.
enum class Phase { setup, forward, backward, optimizer };
inline constexpr std::size_t kPhases = 4;

template <>
struct NameTable<Phase> {
  static constexpr std::array<Named<Phase>, kPhases> table{{
      {Phase::setup, "setup", "model, data and buckets, before the first step"},
      {Phase::forward, "forward", ""},
      {Phase::backward, "backward", ""},
      {Phase::optimizer, "optimizer", ""},
  }};
};

}  // namespace vggplan::base
