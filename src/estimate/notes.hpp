// SPDX-License-Identifier: MIT
// What a reader should know beside the figures.
#pragma once

#include <vector>

#include "estimate/memory_part.hpp"
#include "estimate/storage_part.hpp"
#include "estimate/time_part.hpp"
#include "vggplan/estimate/estimate.hpp"
#include "vggplan/timing/calibration.hpp"

namespace vggplan::estimate {

std::vector<Warning> warnings_of(const Lowered& lowered, const Estimate& estimate, const Interconnect& network,
                                 const lowering::Framework& framework);
std::vector<Assumption> assumptions_of(const Estimate& estimate, const timing::Calibration& calibration,
                                       const Interconnect& network, const lowering::Framework& framework);

}  // namespace vggplan::estimate
