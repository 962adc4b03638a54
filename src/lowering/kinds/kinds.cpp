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

std::int64_t packs(const graph::Node& node) {
  const auto* dropout = std::get_if<graph::Dropout>(&node.kind);
  const bool mean = std::holds_alternative<graph::AdaptiveAveragePool>(node.kind) && is_mean(node);
  return mean || (dropout != nullptr && dropout->passes_through()) ? 0 : lowering_of(node.kind).saves;
}

bool packs_operands(const graph::Node& node) {
  const auto* activation = std::get_if<graph::Activation>(&node.kind);
  return std::holds_alternative<graph::Convolution>(node.kind) || std::holds_alternative<graph::Linear>(node.kind) ||
         std::holds_alternative<graph::AveragePool>(node.kind) ||
         std::holds_alternative<graph::AdaptiveAveragePool>(node.kind) ||
         std::holds_alternative<graph::Multiply>(node.kind) || (activation != nullptr && !saves_result(*activation));
}

void pack_operands(Step& step, const Run& run) {
  Saved& saved = step.saved[run.id];
  saved.recomputed = true;
  if (std::holds_alternative<graph::Convolution>(run.node.kind) ||
      std::holds_alternative<graph::Linear>(run.node.kind)) {
    pack_factors(step, run);
    return;
  }
  const auto pack = [&](NodeId operand) {
    step.tape.retain(step.values[operand]);
    return step.values[operand];
  };
  const auto* activation = std::get_if<graph::Activation>(&run.node.kind);
  const bool clones = activation != nullptr && activation->in_place;
  saved.input = clones ? step.tape.allocate(step.value_size(run.id), Category::activations, layer_id(run.id))
                       : pack(run.node.inputs[0]);
  if (std::holds_alternative<graph::Multiply>(run.node.kind)) {
    saved.result = pack(run.node.inputs[1]);
  }
}

}  // namespace vggplan::lowering
