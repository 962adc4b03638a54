// SPDX-License-Identifier: MIT
// Batches that PyTorch refuses however much memory there is.
#pragma once

#include <cstdint>

#include "vggplan/graph/graph.hpp"

namespace vggplan::lowering {

/// Largest micro-batch whose pools PyTorch accepts: max_pool2d counts the elements of its output in
/// 32 bits, in both layouts. 0 where one image is too many; 2^53 for a network without pools.
std::int64_t largest_batch_by_indexing(const graph::Network& network);

}  // namespace vggplan::lowering
