// SPDX-License-Identifier: MIT
// What layouts mean for a node.
#pragma once

#include "vggplan/base/dtype.hpp"
#include "vggplan/graph/graph.hpp"

namespace vggplan::lowering {

/// Flattening views a map that is contiguous, as those of one channel or one pixel are in either layout, and copies
/// others.
inline bool flatten_copies(const graph::Node& flatten, base::Layout layout) {
  const graph::Shape& map = flatten.input;
  return layout == base::Layout::nhwc && map.channels > 1 && map.height * map.width > 1;
}

}  // namespace vggplan::lowering
