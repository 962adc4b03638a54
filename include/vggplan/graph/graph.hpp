// SPDX-License-Identifier: MIT
// A network as a chain of layers with inferred shapes and counted work.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "vggplan/base/dtype.hpp"
#include "vggplan/base/result.hpp"
#include "vggplan/base/units.hpp"

namespace vggplan::graph {

// Far beyond use, and small enough that a product of three needs no check and layers are counted in 16 bits.
inline constexpr std::int64_t kLargestSide = 1 << 20;  ///< of an image, in pixels
inline constexpr std::int64_t kMostChannels = 1 << 20;
inline constexpr std::int64_t kMostClasses = 1 << 30;
inline constexpr std::size_t kMostFeatures = 1000;
inline constexpr std::size_t kMostHidden = 16;
/// Of a tensor, its gradient and an index of 8 bytes: products that are checked with it hold all that is counted.
inline constexpr std::int64_t kBytesPerElement = 16;

/// One image's worth of a feature map: channels x height x width. A flat vector has height = width = 1.
struct Shape {
  std::int64_t channels{};
  std::int64_t height{1};
  std::int64_t width{1};
  [[nodiscard]] constexpr std::int64_t elements() const { return channels * height * width; }
  bool operator==(const Shape&) const = default;
};

inline constexpr std::int64_t kTaps = 9;  ///< of a 3x3 kernel

/// 3x3, stride 1, padding 1, with bias: the only convolution that VGG has.
struct Conv2d {
  std::int64_t in_channels{};
  std::int64_t out_channels{};
  bool operator==(const Conv2d&) const = default;
};
struct BatchNorm2d {
  std::int64_t channels{};
  bool operator==(const BatchNorm2d&) const = default;
};
struct Relu {  ///< in place, as torchvision has it
  bool operator==(const Relu&) const = default;
};
struct MaxPool2d {  ///< 2x2, stride 2, floor
  bool operator==(const MaxPool2d&) const = default;
};
struct AdaptiveAvgPool2d {
  std::int64_t height{7};
  std::int64_t width{7};
  bool operator==(const AdaptiveAvgPool2d&) const = default;
};
struct Flatten {
  bool operator==(const Flatten&) const = default;
};
struct Linear {
  std::int64_t in_features{};
  std::int64_t out_features{};
  bool operator==(const Linear&) const = default;
};
struct Dropout {
  double probability{0.5};
  /// PyTorch returns the input itself, in training too.
  [[nodiscard]] constexpr bool passes_through() const { return probability == 0; }
  bool operator==(const Dropout&) const = default;
};

using LayerKind = std::variant<Conv2d, BatchNorm2d, Relu, MaxPool2d, AdaptiveAvgPool2d, Flatten, Linear, Dropout>;

struct Layer {
  std::string name{};  ///< conv1_1, relu1_1, pool1, avgpool, flatten, fc1, relu_fc1, dropout1 ...
  LayerKind kind{};
  Shape input{};
  Shape output{};
  bool operator==(const Layer&) const = default;
};

/// Which layers follow the last pooling of the convolutional part.
enum class Head {
  adaptive,  ///< torchvision: 7x7 adaptive average pool, three Linear layers
  flatten,   ///< no pool: the first Linear is sized for the feature map
  gap,       ///< global average pool and one Linear
};

/// A member of the VGG family, before it meets an image. `features` lists convolution widths;
/// kPool stands for a pooling layer (torchvision writes 'M').
inline constexpr std::int64_t kPool = 0;
struct ModelSpec {
  std::string name{};
  std::vector<std::int64_t> features{};
  bool batch_norm{false};
  std::vector<std::int64_t> hidden{4096, 4096};  ///< widths of the hidden Linear layers (heads adaptive and flatten)
  double dropout{0.5};
  std::string source{};
  bool operator==(const ModelSpec&) const = default;
};

struct Network {
  std::string name{};
  Shape input{};
  std::int64_t classes{};
  Head head{Head::adaptive};
  std::vector<Layer> layers{};
  bool operator==(const Network&) const = default;
};

/// The layers of `spec` for images of `input`, shapes as PyTorch infers them (floor pooling), in
/// torchvision's order: features, avgpool, flatten, classifier.
/// Error (Fault::question) where the image is too small for the pools or a count would exceed 2^53.
base::Result<Network> build_network(const ModelSpec& spec, Shape input, std::int64_t classes, Head head);

/// How many of the first layers torchvision calls `features`: convolutions, batch norms, ReLUs, pools.
std::size_t feature_count(const Network& network);

/// Work and storage of one layer for one image. FLOPs are 2 per multiply-accumulate and count
/// convolutions and Linear layers alone, as published counts do; bias additions are left out.
struct LayerCounts {
  std::int64_t parameters{};
  std::int64_t macs{};
  base::Flops flops_forward{};
  base::Flops flops_backward{};  ///< input and weight gradients; the first convolution has no input gradient
  LayerCounts& operator+=(const LayerCounts& other);
  bool operator==(const LayerCounts&) const = default;
};
LayerCounts count(const Network& network, std::size_t layer);
LayerCounts count(const Network& network);

/// Elements of the image and of every layer's output, for one image.
std::int64_t activation_elements(const Network& network);

/// Bytes that the layer's forward pass allocates for its output, for one image: none for a ReLU
/// (in place), a flatten (a view) or a dropout of probability 0 (returns its input).
base::Bytes output_bytes(const Layer& layer, base::DType type);

/// A trained tensor of a layer. Of `rows` in its first dimension, which is the one that FSDP2 cuts.
struct ParameterTensor {
  std::int64_t elements{};
  std::int64_t rows{};
  bool operator==(const ParameterTensor&) const = default;
};
/// In the order of module.parameters(): weight, then bias; nothing for a layer that trains nothing.
std::vector<ParameterTensor> parameter_tensors(const Layer& layer);
std::vector<ParameterTensor> parameter_tensors(const Network& network);

/// As PyTorch names the module: "Conv2d", "ReLU" ...
std::string_view kind_name(const LayerKind& kind);

}  // namespace vggplan::graph
