// SPDX-License-Identifier: MIT
// A network as a graph: nodes in the order in which Python runs them, with inferred shapes and counted work.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vggplan/base/dtype.hpp"
#include "vggplan/base/result.hpp"
#include "vggplan/base/units.hpp"
#include "vggplan/graph/kinds.hpp"

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

using NodeId = std::size_t;
struct Network;

/// One operation, after its inputs. Node 0 of a network is the image, the last one the loss.
struct Node {
  std::string name{};  ///< conv1_1, relu1_1, pool1, avgpool, flatten, fc1, relu_fc1, dropout1 ...
  Kind kind{};
  std::vector<NodeId> inputs{};
  Shape input{};  ///< of the first input
  Shape output{};
  bool trained{true};            ///< its parameters, if it has any, have gradients
  std::optional<NodeId> held{};  ///< a variable of the model's forward() holds the output until that node has run
  bool operator==(const Node&) const = default;
};

/// Which layers follow the last pooling of the convolutional part.
enum class Head {
  adaptive,  ///< torchvision: 7x7 adaptive average pool, three Linear layers
  flatten,   ///< no pool: the first Linear is sized for the feature map
  gap,       ///< global average pool and one Linear
  linear,    ///< 7x7 adaptive average pool and one Linear
  none,      ///< the convolutional part alone
};

/// A model before it meets an image. Of the VGG family, `features` lists convolution widths; kPool stands for a pooling
/// layer (torchvision writes 'M'). Of another architecture the name says all (networks that ship).
inline constexpr std::int64_t kPool = 0;
/// Yields the network of a model that is described elsewhere, in a file of the user's.
class Recipe {
 public:
  Recipe() = default;
  Recipe(const Recipe&) = delete;
  Recipe& operator=(const Recipe&) = delete;
  virtual ~Recipe() = default;
  [[nodiscard]] virtual base::Result<Network> network(Shape image) const = 0;
};
inline constexpr std::string_view kVgg = "vgg";
struct ModelSpec {
  std::string name{};
  std::vector<std::int64_t> features{};
  bool batch_norm{false};
  std::vector<std::int64_t> hidden{4096, 4096};  ///< widths of the hidden Linear layers (heads adaptive and flatten)
  double dropout{0.5};
  std::string source{};
  std::shared_ptr<const Recipe> own{};  ///< where it is there, it says all but the name and the source
  std::string architecture{kVgg};
  bool operator==(const ModelSpec&) const = default;
};

struct Network {
  std::string name{};
  Shape input{};
  std::int64_t classes{};
  std::vector<Node> nodes{};
  std::size_t features{};  ///< how many of the first nodes, the image with them, run before the head
  bool operator==(const Network&) const = default;
};

/// A layer in the sense of reports: neither the image nor the loss.
bool is_layer(const Node& node);

/// The network of `spec` for images of `input`, shapes as PyTorch infers them (floor pooling), in torchvision's order:
/// features, avgpool, flatten, classifier.
/// Other architectures have a head of their own and take Head::adaptive, their default.
/// Error (Fault::question) where the image is too small, maps that meet differ or a count would exceed 2^53.
base::Result<Network> build_network(const ModelSpec& spec, Shape input, std::int64_t classes, Head head);

/// Work and storage of one node for one image. FLOPs are 2 per multiply-accumulate and count
/// convolutions and Linear layers alone, as published counts do; bias additions are left out.
struct LayerCounts {
  std::int64_t parameters{};
  std::int64_t macs{};
  base::Flops flops_forward{};
  base::Flops flops_backward{};  ///< input and weight gradients; the first convolution has no input gradient
  LayerCounts& operator+=(const LayerCounts& other);
  bool operator==(const LayerCounts&) const = default;
};
std::vector<LayerCounts> count_nodes(const Network& network);  ///< by node
LayerCounts count(const Network& network);

/// Elements of every node's output, for one image.
std::int64_t activation_elements(const Network& network);

/// Bytes that the node's forward pass allocates for its output, for one image: none for what works in place (ReLU), is
/// a view (flatten) or returns its input (dropout of probability 0).
base::Bytes output_bytes(const Node& node, base::DType type);

/// A parameter of a node. Of `rows` in its first dimension, which is the one that FSDP2 cuts.
struct ParameterTensor {
  std::int64_t elements{};
  std::int64_t rows{};
  bool operator==(const ParameterTensor&) const = default;
};
/// In the order of module.parameters(): weight, then bias; nothing for a node that has none.
std::vector<ParameterTensor> parameter_tensors(const Node& node);
/// Of all nodes that are trained.
std::vector<ParameterTensor> trained_tensors(const Network& network);

}  // namespace vggplan::graph
