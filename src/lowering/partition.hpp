// SPDX-License-Identifier: MIT
// How tensors are grouped and dealt out when GPUs share the work: one rule each for the tape and for the exchange.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace vggplan::lowering {

/// Consecutive tensors that travel together.
struct Group {
  std::int64_t bytes{};
  std::size_t last{};  ///< index of the tensor that closes it
};

/// A group closes when it reaches its limit: `first_limit` that of the first group, `limit` that of the others.
std::vector<Group> groups_of(const std::vector<std::int64_t>& sizes, std::int64_t first_limit, std::int64_t limit);

/// ZeroRedundancyOptimizer: whole tensors, largest first, to the rank that has least so far. The rank of each tensor;
/// rank 0 gets the largest of all.
std::vector<std::size_t> owners_of(const std::vector<std::int64_t>& elements, std::int64_t ranks);

}  // namespace vggplan::lowering
