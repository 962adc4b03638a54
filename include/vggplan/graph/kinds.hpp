// SPDX-License-Identifier: MIT
// What a node of a network may be: every number that shapes its output, its memory or its work. Names and defaults are
// those of torch.nn.
#pragma once

#include <cstdint>
#include <string_view>
#include <variant>

namespace vggplan::graph {

/// Along the height and along the width of a map.
struct Pair {
  std::int64_t height{1};
  std::int64_t width{1};
  bool operator==(const Pair&) const = default;
};

struct Image {  ///< the batch of images: the first node of every network
  bool operator==(const Image&) const = default;
};
struct Convolution {
  std::int64_t in_channels{};
  std::int64_t out_channels{};
  Pair kernel{3, 3};
  Pair stride{1, 1};
  Pair padding{1, 1};
  Pair dilation{1, 1};
  std::int64_t groups{1};
  bool bias{true};
  bool transposed{false};
  Pair output_padding{0, 0};  ///< of a transposed one
  [[nodiscard]] constexpr std::int64_t taps() const { return kernel.height * kernel.width; }
  /// Of the weight: taps for each pair of an input and an output channel of a group.
  [[nodiscard]] constexpr std::int64_t weights() const { return taps() * (in_channels / groups) * out_channels; }
  bool operator==(const Convolution&) const = default;
};
struct BatchNorm {
  std::int64_t channels{};
  bool frozen{false};  ///< normalises by its running statistics in training too (eval())
  bool operator==(const BatchNorm&) const = default;
};
enum class Function { relu, relu6, leaky_relu, silu, gelu, sigmoid, hard_swish, hard_sigmoid, tanh };
struct Activation {
  Function function{Function::relu};
  bool in_place{true};  ///< as torchvision's models have it
  bool operator==(const Activation&) const = default;
};
/// Windows of MaxPool and AveragePool.
struct Window {
  Pair kernel{2, 2};
  Pair stride{2, 2};
  Pair padding{0, 0};
  bool ceil{false};  ///< a window that begins inside of the padded map counts
  bool operator==(const Window&) const = default;
};
struct MaxPool {
  Window window{};
  bool operator==(const MaxPool&) const = default;
};
struct AveragePool {
  Window window{};
  bool operator==(const AveragePool&) const = default;
};
struct AdaptiveAveragePool {
  std::int64_t height{7};
  std::int64_t width{7};
  bool operator==(const AdaptiveAveragePool&) const = default;
};
struct Linear {
  std::int64_t in_features{};
  std::int64_t out_features{};
  bool bias{true};
  bool operator==(const Linear&) const = default;
};
struct Dropout {
  double probability{0.5};
  bool whole_channels{false};  ///< Dropout2d: one draw for a map
  /// PyTorch returns the input itself, in training too.
  [[nodiscard]] constexpr bool passes_through() const { return probability == 0; }
  bool operator==(const Dropout&) const = default;
};
struct Add {
  bool in_place{false};  ///< out += identity: the first input holds the sum
  bool operator==(const Add&) const = default;
};
struct Multiply {
  bool operator==(const Multiply&) const = default;
};
struct Concatenate {  ///< along the channels
  bool operator==(const Concatenate&) const = default;
};
struct Resize {
  Pair size{};
  bool bilinear{false};  ///< else nearest
  bool operator==(const Resize&) const = default;
};
/// The same elements in another shape: one vector an image (torch.flatten), or positions x values, with the channels
/// of a map last (permute and reshape of detection heads: a copy, unless the map has its channels last already).
struct Flatten {
  std::int64_t values{0};  ///< of each position; 0 for one vector
  [[nodiscard]] constexpr bool channels_last() const { return values != 0; }
  bool operator==(const Flatten&) const = default;
};
struct LayerNorm {  ///< over the channels of each position
  bool operator==(const LayerNorm&) const = default;
};
struct Softmax {
  bool operator==(const Softmax&) const = default;
};
/// What training lowers: the last node of every network.
enum class Objective {
  cross_entropy,        ///< over classes, one target an image
  pixel_cross_entropy,  ///< over the channels of each pixel
  mse,                  ///< mean squared error against a target of the output's shape
  ssd,                  ///< smooth L1 of boxes and cross entropy of their classes
};
struct Loss {
  Objective objective{Objective::cross_entropy};
  bool operator==(const Loss&) const = default;
};

using Kind = std::variant<Image, Convolution, BatchNorm, Activation, MaxPool, AveragePool, AdaptiveAveragePool, Linear,
                          Dropout, Add, Multiply, Concatenate, Resize, Flatten, LayerNorm, Softmax, Loss>;

/// Whether it is one of these.
template <class... Kinds>
constexpr bool is_any(const Kind& kind) {
  return (std::holds_alternative<Kinds>(kind) || ...);
}
/// Whether the output takes the place of the first input.
bool works_in_place(const Kind& kind);

/// As PyTorch names the module: "Conv2d", "ReLU" ...
std::string_view kind_name(const Kind& kind);

}  // namespace vggplan::graph
