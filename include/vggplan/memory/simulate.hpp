// SPDX-License-Identifier: MIT
// Replays a tape through the allocator and reports peaks as PyTorch's statistics would.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "vggplan/memory/allocator.hpp"
#include "vggplan/memory/tape.hpp"

namespace vggplan::memory {

/// Bytes by category and by layer at one moment. Both sum to the allocated bytes of that moment;
/// the last entry of `layers` holds what belongs to no layer.
struct Breakdown {
  std::array<std::int64_t, kCategories> categories{};
  std::vector<std::int64_t> layers{};
};

/// Peaks of one step, phase by phase (index by base::Phase).
struct StepMemory {
  std::array<base::Bytes, base::kPhases> phase_peak{};   ///< largest allocated while in the phase
  std::array<base::Bytes, base::kPhases> after_phase{};  ///< allocated when the phase ended
  base::Bytes allocated_peak{};
  base::Bytes reserved_peak{};  ///< largest reserved so far
  std::int64_t flushes{};
};

struct OutOfMemory {
  std::size_t step{};  ///< from 1; 0 is the set-up
  base::Phase phase{};
  LayerId layer{kNoLayer};
  base::Bytes requested{};
  base::Bytes missing{};  ///< how far the request's segment exceeded the capacity after the cache was given back
  // What PyTorch's message says (CUDACachingAllocator.cpp, malloc): the segment that cudaMalloc was asked for, and what
  // is held after the cache was given back.
  base::Bytes tried{};
  base::Bytes allocated{};
  base::Bytes reserved{};
  base::Bytes free{};  ///< of what may be reserved
};

struct Moment {
  std::size_t step{};  ///< from 1
  base::Phase phase{};
  LayerId layer{kNoLayer};
  base::Bytes allocated{};
  base::Bytes reserved{};
  std::array<std::int64_t, kCategories> categories{};  ///< of what is allocated: they sum to it
};

struct Simulation {
  base::Bytes after_setup{};
  base::Bytes first_step_peak{};    ///< process start to the end of step 1
  base::Bytes allocated_peak{};     ///< process start to the end of step 2: what max_memory_allocated() says then
  base::Bytes run_peak{};           ///< of the whole run: later steps may hold more, such as state that comes late
  base::Bytes reserved_peak{};      ///< of the whole run
  base::Bytes largest_workspace{};  ///< that was taken, cudnn.benchmark's trials apart
  Breakdown peak{};                 ///< at `run_peak`
  std::vector<StepMemory> steps{};
  std::int64_t flushes_per_step{};  ///< in the last simulated step
  std::optional<OutOfMemory> failure{};
  std::vector<Moment> timeline{};
};

struct SimulationOptions {
  AllocatorConfig allocator{};
  std::size_t steps{
      4};  ///< how many to simulate at least; more where one after the first flushed the cache, and all of the tape
  bool timeline{false};  ///< record the moments of the first and of the last step
};

/// Runs set-up and steps; stops at the first allocation that fails.
Simulation simulate(const Tape& tape, const SimulationOptions& options);

}  // namespace vggplan::memory
