// SPDX-License-Identifier: MIT
// Changes of settings that may make a job fit; whether they do is for others to try.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "space.hpp"

namespace vggplan::planner {

/// Changes of one code exclude each other.
struct Change {
  std::string code{};
  std::string text{};
  std::string costs{};
  bool changes_training{false};
  job::Job job{};  ///< the changed job
  bool more_hardware{false};
  std::function<void(job::Job&)> edit{};
};

/// All that the GPU can do and that go with the job, on up to so many GPUs of one machine; of one code the mildest
/// first.
std::vector<Change> possible_changes(const job::Job& job, const hardware::Gpu& gpu, std::int64_t most_gpus);

}  // namespace vggplan::planner
