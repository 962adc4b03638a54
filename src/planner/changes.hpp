// SPDX-License-Identifier: MIT
// Changes of settings that may make a job fit; whether they do is for others to try.
#pragma once

#include <functional>
#include <vector>

#include "vggplan/planner/plan.hpp"

namespace vggplan::planner {

/// The remedy says what is changed, at what price, and the changed job; those of one code exclude each other.
struct Change {
  Remedy remedy{};
  std::function<void(job::Job&)> edit{};
};

/// All that the GPU can do and that go with the job, on up to so many GPUs of one machine; of one code the mildest
/// first.
std::vector<Change> possible_changes(const job::Job& job, const hardware::Gpu& gpu, std::int64_t most_gpus);

}  // namespace vggplan::planner
