// SPDX-License-Identifier: MIT
// What no tape may do.
#pragma once

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "vggplan/memory/tape.hpp"

namespace vggplan::support {

/// Names what a tape does wrong: frees of what is not there, allocations of what is, ids out of range, and what is left
/// more after each of `repeats` further steps.
inline std::string fault_of(const memory::Tape& tape, std::size_t repeats) {
  using memory::Event;
  std::set<memory::TensorId> live;
  const auto run = [&](const std::vector<Event>& events) -> std::string {
    for (const Event& event : events) {
      switch (event.kind) {
        case Event::Kind::allocate:
          if (event.bytes <= 0 || event.tensor >= tape.tensors || !live.insert(event.tensor).second) {
            return "allocates " + std::to_string(event.tensor) + " wrongly";
          }
          break;
        case Event::Kind::release:
          if (live.erase(event.tensor) == 0) {
            return "frees " + std::to_string(event.tensor) + ", which is not there";
          }
          break;
        case Event::Kind::scratch:
        case Event::Kind::trial:
          if (event.tensor >= tape.scratch.size() || tape.scratch[event.tensor].plans.back() != 0) {
            return "a workspace without a last resort";
          }
          break;
        case Event::Kind::empty:
        case Event::Kind::local_memory:
        case Event::Kind::driver:
        case Event::Kind::phase: break;
      }
      if (event.layer != memory::kNoLayer && static_cast<std::size_t>(event.layer) >= tape.layers) {
        return "a layer out of range";
      }
    }
    return {};
  };
  std::string fault = run(tape.setup);
  std::size_t at_end = 0;
  for (std::size_t step = 0; step < tape.steps.size() + repeats && fault.empty(); ++step) {
    fault = run(tape.steps[std::min(step, tape.steps.size() - 1)]);
    if (step >= tape.steps.size() && live.size() != at_end) {
      return "leaks: " + std::to_string(live.size()) + " tensors after step " + std::to_string(step);
    }
    at_end = live.size();
  }
  return fault;
}

}  // namespace vggplan::support
