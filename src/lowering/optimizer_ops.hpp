// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

#include "vggplan/job/job.hpp"
#include "vggplan/timing/op.hpp"

namespace vggplan::lowering {

/// Appends the passes of one optimizer step over `parameters` elements in `tensors` tensors.
void append_optimizer_ops(const job::Job& job, std::int64_t parameters, std::int64_t tensors,
                          std::vector<timing::Op>& ops);

}  // namespace vggplan::lowering
