// SPDX-License-Identifier: MIT
#include "vggplan/lowering/limits.hpp"

#include <algorithm>
#include <limits>

#include "vggplan/base/checked.hpp"

namespace vggplan::lowering {

std::int64_t largest_batch_by_indexing(const graph::Network& network) {
  // aten/src/ATen/native/cuda/DilatedMaxPool2d.cu casts output.numel() to int, and throws where it does not fit.
  constexpr std::int64_t kMostElements = std::numeric_limits<std::int32_t>::max();
  std::int64_t most = base::kLargestExact;
  for (const graph::Layer& layer : network.layers) {
    if (std::holds_alternative<graph::MaxPool2d>(layer.kind)) {
      most = std::min(most, kMostElements / layer.output.elements());
    }
  }
  return most;
}

}  // namespace vggplan::lowering
