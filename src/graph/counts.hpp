// SPDX-License-Identifier: MIT
// Counting of one layer, shared by the builder, which needs to know whether a
// count would wrap, and by the public counts, which are asked of networks that passed the builder.
#pragma once

#include <optional>

#include "vggplan/graph/graph.hpp"

namespace vggplan::graph {

/// `trained_before`: a layer with parameters comes before, so that the input needs a gradient.
/// Nothing where a count does not fit 64 bits.
std::optional<LayerCounts> counts_of(const LayerKind& kind, const Shape& output, bool trained_before);

bool is_trained_matrix(const LayerKind& kind);  ///< Conv2d or Linear

}  // namespace vggplan::graph
