// SPDX-License-Identifier: MIT
// The ways of checkpointing by name, for tests.
#pragma once

#include "vggplan/job/job.hpp"

namespace vggplan::support {

inline constexpr job::Checkpointing kBlock{job::Checkpointing::Kind::block, 0};

inline job::Checkpointing sequential(std::int64_t count) { return {job::Checkpointing::Kind::sequential, count}; }

}  // namespace vggplan::support
