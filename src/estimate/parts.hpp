// SPDX-License-Identifier: MIT
// Parts of an estimate that follow from those of memory, time and storage.
#pragma once

#include <vector>

#include "estimate/memory_part.hpp"
#include "estimate/time_part.hpp"
#include "vggplan/timing/calibration.hpp"

namespace vggplan::estimate {

/// What torch.nn.DataParallel would take for a job that is answered for DistributedDataParallel.
DataParallel data_parallel_part(const Lowered& lowered, const Timed& asked);

/// The table of layers: what each counts, holds and takes. `times` are those of Time::layers.
std::vector<LayerRow> layer_part(const Question& asked, const std::vector<LayerTime>& times);

/// What a reader should know beside the figures.
std::vector<Warning> warnings_of(const Lowered& lowered, const Estimate& estimate, const Interconnect& network,
                                 const lowering::Framework& framework);
std::vector<Assumption> assumptions_of(const Estimate& estimate, const timing::Calibration& calibration,
                                       const Interconnect& network, const lowering::Framework& framework);

}  // namespace vggplan::estimate
