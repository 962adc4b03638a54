// SPDX-License-Identifier: MIT
// What inductor allocates while it compiles products whose sides are not aligned.
#pragma once

#include "lowering/step.hpp"

namespace vggplan::lowering::compiled {

/// Padding is tried by time: operands, results and a buffer of the size of the L2 cache leave their segments behind
/// (torch/_inductor/fx_passes/pad_mm.py; order and sizes as in recorded allocations of PyTorch 2.11).
void try_padding(Step& step);

}  // namespace vggplan::lowering::compiled
