// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string>

#include "vggplan/graph/graph.hpp"

namespace vggplan::graph {

/// Shape of the output for inputs of these shapes, as PyTorch infers it. A side below 1 says that the window is larger
/// than its input. Of kinds that take several inputs all shapes are given.
Shape output_shape(const Kind& kind, std::span<const Shape> inputs);

/// What keeps inputs of these shapes from being those of this kind: "meets maps of 56x56 and 57x57". Empty where
/// nothing does.
std::string misfit(const Kind& kind, std::span<const Shape> inputs);

}  // namespace vggplan::graph
