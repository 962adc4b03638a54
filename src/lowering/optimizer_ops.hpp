// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "lowering/partition.hpp"
#include "vggplan/job/job.hpp"
#include "vggplan/timing/op.hpp"

namespace vggplan::lowering {

/// Appends the passes of one optimizer step: GradScaler's over the gradients that a rank holds, the update over what
/// the fullest rank updates.
void append_optimizer_ops(const job::Job& job, const Share& held, const Share& updated, std::vector<timing::Op>& ops);

}  // namespace vggplan::lowering
