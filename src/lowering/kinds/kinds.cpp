// SPDX-License-Identifier: MIT
#include "lowering/kinds/kinds.hpp"

#include <array>
#include <variant>

namespace vggplan::lowering {

const Lowering& lowering_of(const graph::Kind& kind) {
  static const Lowering kNone{};  // the image and the loss: step.cpp and loss.cpp
  // In the order of the variant.
  static const std::array<const Lowering*, std::variant_size_v<graph::Kind>> kTable{
      &kNone,      &kConvolution, &kBatchNorm, &kActivation, &kMaxPool,     &kAveragePool, &kAdaptiveAveragePool,
      &kLinear,    &kDropout,     &kAdd,       &kMultiply,   &kConcatenate, &kResize,      &kFlatten,
      &kLayerNorm, &kSoftmax,     &kNone};
  return *kTable.at(kind.index());
}

}  // namespace vggplan::lowering
