// SPDX-License-Identifier: MIT
#pragma once

#include "estimate/memory_part.hpp"
#include "vggplan/timing/calibration.hpp"

namespace vggplan::estimate {

/// What torch.nn.DataParallel would take for a job that is answered for DistributedDataParallel.
DataParallel data_parallel_part(const Lowered& lowered, const job::Job& job, const Target& target,
                                const Knowledge& knowledge, const timing::Calibration& calibration);

}  // namespace vggplan::estimate
