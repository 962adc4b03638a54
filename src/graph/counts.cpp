// SPDX-License-Identifier: MIT
#include "graph/counts.hpp"

#include <algorithm>
#include <variant>

#include "vggplan/base/checked.hpp"

namespace vggplan::graph {

namespace {

using base::checked_add;
using base::checked_mul;
using base::checked_product;

/// A convolution or Linear layer of `weights` weights and `biases` biases, applied at `positions` places.
std::optional<LayerCounts> matrix_counts(std::optional<std::int64_t> weights, std::int64_t biases,
                                         std::int64_t positions, bool trained_before) {
  const auto parameters = weights ? checked_add(*weights, biases) : std::nullopt;
  const auto macs = weights ? checked_mul(*weights, positions) : std::nullopt;
  // Backward multiplies twice, once for the gradient of the weights and once for that of the input.
  const auto backward = macs ? checked_mul(*macs, trained_before ? 4 : 2) : std::nullopt;
  if (!parameters || !backward) {
    return std::nullopt;
  }
  return LayerCounts{*parameters, *macs, base::Flops(2 * *macs), base::Flops(*backward)};
}

}  // namespace

std::optional<LayerCounts> counts_of(const LayerKind& kind, const Shape& output, bool trained_before) {
  if (const auto* conv = std::get_if<Conv2d>(&kind)) {
    const auto positions = checked_mul(output.height, output.width);
    const auto weights = checked_product(kTaps, conv->in_channels, conv->out_channels);
    return positions ? matrix_counts(weights, conv->out_channels, *positions, trained_before) : std::nullopt;
  }
  if (const auto* linear = std::get_if<Linear>(&kind)) {
    const auto weights = checked_mul(linear->in_features, linear->out_features);
    return matrix_counts(weights, linear->out_features, 1, trained_before);
  }
  LayerCounts counts;
  if (const auto* norm = std::get_if<BatchNorm2d>(&kind)) {
    counts.parameters = 2 * norm->channels;
  }
  return counts;
}

bool is_trained_matrix(const LayerKind& kind) {
  return std::holds_alternative<Conv2d>(kind) || std::holds_alternative<Linear>(kind);
}

LayerCounts& LayerCounts::operator+=(const LayerCounts& other) {
  parameters += other.parameters;
  macs += other.macs;
  flops_forward += other.flops_forward;
  flops_backward += other.flops_backward;
  return *this;
}

LayerCounts count(const Network& network, std::size_t layer) {
  const Layer& here = network.layers.at(layer);
  const auto before = network.layers.begin() + static_cast<std::ptrdiff_t>(layer);
  const bool trained_before =
      std::any_of(network.layers.begin(), before, [](const Layer& earlier) { return is_trained_matrix(earlier.kind); });
  return counts_of(here.kind, here.output, trained_before).value();
}

LayerCounts count(const Network& network) {
  LayerCounts total;
  bool trained_before = false;
  for (const Layer& layer : network.layers) {
    total += counts_of(layer.kind, layer.output, trained_before).value();
    trained_before = trained_before || is_trained_matrix(layer.kind);
  }
  return total;
}

std::int64_t activation_elements(const Network& network) {
  std::int64_t sum = network.input.elements();
  for (const Layer& layer : network.layers) {
    sum += layer.output.elements();
  }
  return sum;
}

base::Bytes output_bytes(const Layer& layer, base::DType type) {
  const auto* dropout = std::get_if<Dropout>(&layer.kind);
  const bool passes_through = std::holds_alternative<Relu>(layer.kind) || std::holds_alternative<Flatten>(layer.kind) ||
                              (dropout != nullptr && dropout->passes_through());
  return base::Bytes(passes_through ? 0 : layer.output.elements() * base::size_of(type));
}

std::vector<ParameterTensor> parameter_tensors(const Layer& layer) {
  if (const auto* conv = std::get_if<Conv2d>(&layer.kind)) {
    return {{conv->in_channels * conv->out_channels * kTaps, conv->out_channels},
            {conv->out_channels, conv->out_channels}};
  }
  if (const auto* linear = std::get_if<Linear>(&layer.kind)) {
    return {{linear->in_features * linear->out_features, linear->out_features},
            {linear->out_features, linear->out_features}};
  }
  if (const auto* norm = std::get_if<BatchNorm2d>(&layer.kind)) {
    return {{norm->channels, norm->channels}, {norm->channels, norm->channels}};
  }
  return {};
}

std::vector<ParameterTensor> parameter_tensors(const Network& network) {
  std::vector<ParameterTensor> tensors;
  for (const Layer& layer : network.layers) {
    const std::vector<ParameterTensor> own = parameter_tensors(layer);
    tensors.insert(tensors.end(), own.begin(), own.end());
  }
  return tensors;
}

}  // namespace vggplan::graph
