// SPDX-License-Identifier: MIT
// A recorded history of the allocator, held event by event against the tape of the job.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "vggplan/base/units.hpp"
#include "vggplan/memory/allocator.hpp"
#include "vggplan/memory/tape.hpp"
#include "vggplan/runs/run.hpp"

namespace vggplan::runs {

/// Where recording and tape part.
struct Difference {
  enum class Kind {
    request,    ///< an allocation or a free of PyTorch
    workspace,  ///< what a library took for one call: taken and freed at once
  };
  Kind kind{Kind::request};
  std::size_t event{};  ///< of the recorded allocations and frees, from 0
  std::size_t step{};   ///< from 1; 0 is the set-up
  base::Phase phase{};
  std::string layer{};                    ///< empty for what belongs to none
  std::optional<std::int64_t> planned{};  ///< bytes, negative where they are freed
  std::optional<std::int64_t> measured{};
};

/// What is allocated at the moment at which the plan allocates most, by category. Recorded are the same requests, with
/// the workspaces that were taken there.
struct CategoryBytes {
  memory::Category category{};
  std::int64_t planned{};
  std::int64_t measured{};
};

struct Replay {
  std::optional<Difference> first_difference{};
  std::vector<CategoryBytes> at_peak{};  ///< empty where the recording does not reach that moment, or differs before
  std::optional<base::Bytes> allocated_peak{};  ///< of recordings that begin with the process
  std::size_t compared{};                       ///< recorded events that were held against the tape
  bool aligned{true};                           ///< else nothing on the tape looks like the beginning of the recording
};

/// `layers`: names by the tape's ids. Workspaces that differ by more than `slack` are told. `allocator`: as the run's,
/// without a limit.
Replay replay(const Trace& trace, const memory::Tape& tape, const std::vector<std::string>& layers, base::Bytes slack,
              memory::AllocatorConfig allocator);

}  // namespace vggplan::runs
