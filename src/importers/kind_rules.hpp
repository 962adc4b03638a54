// SPDX-License-Identifier: MIT
#pragma once

#include <span>

#include "vggplan/base/result.hpp"
#include "vggplan/graph/graph.hpp"

namespace vggplan::importers {

/// Fills in channels and features of 0 from the input, and checks every number of `kind` against its limits and
/// against the shapes of its inputs, as PyTorch would. Numbers that pass are small enough for plain arithmetic.
base::Status complete(graph::Kind& kind, std::span<const graph::Shape> inputs, const std::string& place);

}  // namespace vggplan::importers
