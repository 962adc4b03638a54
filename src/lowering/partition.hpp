// SPDX-License-Identifier: MIT
// How tensors are grouped and dealt out when GPUs share the work: one rule each for the tape and for the exchange.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "vggplan/graph/graph.hpp"
#include "vggplan/job/job.hpp"

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

/// The rank that these owners leave least.
std::size_t emptiest_rank(const std::vector<std::int64_t>& elements, const std::vector<std::size_t>& owners,
                          std::int64_t ranks);

/// What one rank works on, of all parameters.
struct Share {
  std::int64_t elements{};
  std::int64_t tensors{};
};

/// Gradients that a rank holds once they are averaged: all of them, and under FSDP2 its rows of each tensor.
Share held_gradients(const graph::Network& network, const job::Job& job);

/// What the fullest rank updates: what it holds, and under ZeRO-1 the whole tensors that it owns.
Share fullest_update(const graph::Network& network, const job::Job& job);

}  // namespace vggplan::lowering
