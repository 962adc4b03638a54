// SPDX-License-Identifier: MIT
// What layouts mean for a node.
#pragma once

#include "vggplan/base/dtype.hpp"
#include "vggplan/graph/graph.hpp"

namespace vggplan::lowering {

/// Flattening views a map that is contiguous, as those of one channel or one pixel are in either layout, and copies
/// others. Heads of detectors put the channels last, which contiguous maps are copied for, and channels_last ones not.
inline bool flatten_copies(const graph::Node& flatten, base::Layout layout) {
  const graph::Shape& map = flatten.input;
  const bool channels_last = std::get<graph::Flatten>(flatten.kind).channels_last();
  const bool lies_otherwise =
      channels_last ? layout == base::Layout::nchw : layout == base::Layout::nhwc && map.channels > 1;
  return lies_otherwise && map.height * map.width > 1;
}

}  // namespace vggplan::lowering
