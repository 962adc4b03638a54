// SPDX-License-Identifier: MIT
// The table of layers: what each counts, holds and takes.
#pragma once

#include <vector>

#include "estimate/memory_part.hpp"

namespace vggplan::estimate {

/// `times` are those of Time::layers.
std::vector<LayerRow> layer_part(const Lowered& lowered, const job::Job& job, const Target& target,
                                 const lowering::Framework& framework, const std::vector<LayerTime>& times);

}  // namespace vggplan::estimate
