// SPDX-License-Identifier: MIT
#include <algorithm>

#include "vggplan/estimate/run.hpp"

namespace vggplan::estimate {
namespace {

/// The taller and wider of what a node's window spans, and its shift.
struct Window {
  std::int64_t span{1};
  std::int64_t stride{1};
};

Window square(const graph::Pair& kernel, const graph::Pair& stride, const graph::Pair& dilation) {
  const auto span = [](std::int64_t k, std::int64_t d) { return (k - 1) * d + 1; };
  return {std::max(span(kernel.height, dilation.height), span(kernel.width, dilation.width)),
          std::max(stride.height, stride.width)};
}

Window window_of(const graph::Kind& kind) {
  if (const auto* conv = std::get_if<graph::Convolution>(&kind)) {
    return square(conv->kernel, conv->stride, conv->dilation);
  }
  if (const auto* pool = std::get_if<graph::MaxPool>(&kind)) {
    return square(pool->window.kernel, pool->window.stride, {});
  }
  if (const auto* pool = std::get_if<graph::AveragePool>(&kind)) {
    return square(pool->window.kernel, pool->window.stride, {});
  }
  return {};
}

}  // namespace

// A window grows by (span - 1) x the shift of the node's own input windows: 2 x shift for a 3x3 convolution, 1 x shift
// for a 2x2 pool, which then doubles the shift.
ReceptiveField receptive_field(const graph::Network& network) {
  std::vector<ReceptiveField> fields(network.features, {1, 1});
  for (graph::NodeId id = 1; id < network.features; ++id) {
    for (const graph::NodeId input : network.nodes[id].inputs) {
      fields[id].size = std::max(fields[id].size, fields[input].size);
      fields[id].stride = std::max(fields[id].stride, fields[input].stride);
    }
    const Window window = window_of(network.nodes[id].kind);
    fields[id].size += (window.span - 1) * fields[id].stride;
    fields[id].stride *= window.stride;
  }
  return fields.back();
}

}  // namespace vggplan::estimate
