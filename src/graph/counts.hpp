// SPDX-License-Identifier: MIT
// Counting of one node, shared by the builder, which needs to know whether a
// count would wrap, and by the public counts, which are asked of networks that passed the builder.
#pragma once

#include <optional>

#include "vggplan/graph/graph.hpp"

namespace vggplan::graph {

/// Products of a backward pass: with the input for the weights, with the weights for the input.
struct Gradients {
  bool weights{true};
  bool input{true};
};

/// Nothing where a count does not fit 64 bits.
std::optional<LayerCounts> counts_of(const Kind& kind, const Shape& output, const Shape& input,
                                     const Gradients& gradients);

}  // namespace vggplan::graph
