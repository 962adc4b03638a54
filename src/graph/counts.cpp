// SPDX-License-Identifier: MIT
#include "graph/counts.hpp"

#include <variant>

#include "vggplan/base/checked.hpp"
#include "vggplan/graph/flow.hpp"

namespace vggplan::graph {

namespace {

using base::checked_add;
using base::checked_mul;
using base::checked_product;

/// A convolution or Linear layer of `weights` weights and `biases` biases, applied at `positions` places.
std::optional<LayerCounts> matrix_counts(std::optional<std::int64_t> weights, std::int64_t biases,
                                         std::optional<std::int64_t> positions, const Gradients& gradients) {
  const auto parameters = weights ? checked_add(*weights, biases) : std::nullopt;
  const auto macs = weights && positions ? checked_mul(*weights, *positions) : std::nullopt;
  const std::int64_t products = (gradients.weights ? 1 : 0) + (gradients.input ? 1 : 0);
  const auto backward = macs ? checked_mul(*macs, 2 * products) : std::nullopt;
  if (!parameters || !backward || !checked_mul(*macs, 2)) {
    return std::nullopt;
  }
  return LayerCounts{*parameters, *macs, base::Flops(2 * *macs), base::Flops(*backward)};
}

}  // namespace

std::optional<LayerCounts> counts_of(const Kind& kind, const Shape& output, const Shape& input,
                                     const Gradients& gradients) {
  if (const auto* conv = std::get_if<Convolution>(&kind)) {
    // A transposed convolution spreads each pixel of its input over its taps.
    const Shape& places = conv->transposed ? input : output;
    const auto weights = checked_product(conv->taps(), conv->in_channels / conv->groups, conv->out_channels);
    return matrix_counts(weights, conv->bias ? conv->out_channels : 0, checked_mul(places.height, places.width),
                         gradients);
  }
  if (const auto* linear = std::get_if<Linear>(&kind)) {
    return matrix_counts(checked_mul(linear->in_features, linear->out_features),
                         linear->bias ? linear->out_features : 0, checked_mul(output.height, output.width), gradients);
  }
  LayerCounts counts;
  counts.parameters = is_any<BatchNorm, LayerNorm>(kind) ? 2 * output.channels : 0;
  return counts;
}

LayerCounts& LayerCounts::operator+=(const LayerCounts& other) {
  parameters += other.parameters;
  macs += other.macs;
  flops_forward += other.flops_forward;
  flops_backward += other.flops_backward;
  return *this;
}

std::vector<LayerCounts> count_nodes(const Network& network) {
  const Flow flow = flow_of(network);
  std::vector<LayerCounts> counts;
  for (const Node& node : network.nodes) {
    const bool input = !node.inputs.empty() && flow.needs_gradient[node.inputs.front()];
    counts.push_back(counts_of(node.kind, node.output, node.input, {trains(node), input}).value());
  }
  return counts;
}

LayerCounts count(const Network& network) {
  LayerCounts total;
  for (const LayerCounts& counts : count_nodes(network)) {
    total += counts;
  }
  return total;
}

std::int64_t activation_elements(const Network& network) {
  std::int64_t sum = 0;
  for (const Node& node : network.nodes) {
    sum += is_layer(node) || std::holds_alternative<Image>(node.kind) ? node.output.elements() : 0;
  }
  return sum;
}

base::Bytes output_bytes(const Node& node, base::DType type) {
  const auto* dropout = std::get_if<Dropout>(&node.kind);
  const bool nothing =
      works_in_place(node.kind) || is_any<Flatten>(node.kind) || (dropout != nullptr && dropout->passes_through());
  return base::Bytes(nothing ? 0 : node.output.elements() * base::size_of(type));
}

std::vector<ParameterTensor> parameter_tensors(const Node& node) {
  const auto matrix = [](std::int64_t weights, std::int64_t rows, std::int64_t outputs, bool bias) {
    std::vector<ParameterTensor> tensors{{weights, rows}};
    if (bias) {
      tensors.push_back({outputs, outputs});
    }
    return tensors;
  };
  if (const auto* conv = std::get_if<Convolution>(&node.kind)) {
    return matrix(conv->weights(), conv->transposed ? conv->in_channels : conv->out_channels, conv->out_channels,
                  conv->bias);
  }
  if (const auto* linear = std::get_if<Linear>(&node.kind)) {
    return matrix(linear->in_features * linear->out_features, linear->out_features, linear->out_features, linear->bias);
  }
  const std::int64_t channels = node.output.channels;
  return is_any<BatchNorm, LayerNorm>(node.kind) ? std::vector<ParameterTensor>(2, {channels, channels})
                                                 : std::vector<ParameterTensor>();
}

std::vector<ParameterTensor> trained_tensors(const Network& network) {
  std::vector<ParameterTensor> tensors;
  for (const Node& node : network.nodes) {
    if (node.trained) {
      const std::vector<ParameterTensor> own = parameter_tensors(node);
      tensors.insert(tensors.end(), own.begin(), own.end());
    }
  }
  return tensors;
}

}  // namespace vggplan::graph
