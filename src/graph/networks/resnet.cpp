// SPDX-License-Identifier: MIT
// He et al. 2016 as torchvision/models/resnet.py builds it: the stride of a bottleneck is that of its 3x3 convolution.
#include <fmt/format.h>

#include "graph/networks/networks.hpp"

namespace vggplan::graph {
namespace {

constexpr std::int64_t kBottleneckExpansion = 4;

struct ResidualBlock {
  std::string name{};
  std::int64_t width{};
  std::int64_t stride{};
  bool bottleneck{};
  [[nodiscard]] std::int64_t out() const { return width * (bottleneck ? kBottleneckExpansion : 1); }
};

void append_residual_block(Builder& b, const ResidualBlock& block) {
  const NodeId input = b.last();
  const auto name = [&](std::string_view what) { return fmt::format("{}.{}", block.name, what); };
  const auto relu = [&](int position) { return b.append(name(fmt::format("relu{}", position)), Activation{}); };
  int last = 2;
  if (block.bottleneck) {
    append_conv_norm(b, name("conv1"), name("bn1"), convolution(b, block.width, 1, 1, 0));
    relu(1);
    append_conv_norm(b, name("conv2"), name("bn2"), convolution(b, block.width, 3, block.stride, 1));
    relu(2);
    append_conv_norm(b, name("conv3"), name("bn3"), convolution(b, block.out(), 1, 1, 0));
    last = 3;
  } else {
    append_conv_norm(b, name("conv1"), name("bn1"), convolution(b, block.width, 3, block.stride, 1));
    relu(1);
    append_conv_norm(b, name("conv2"), name("bn2"), convolution(b, block.width, 3, 1, 1));
  }
  const NodeId branch = b.last();
  NodeId identity = input;
  const std::int64_t channels = b.shape(input).channels;
  if (block.stride != 1 || channels != block.out()) {
    Convolution conv{channels, block.out(), {1, 1}, {block.stride, block.stride}, {0, 0}};
    conv.bias = false;
    b.add(name("downsample.0"), conv, {input});
    identity = b.append(name("downsample.1"), BatchNorm{block.out()});
  }
  b.add(name("add"), Add{.in_place = true}, {branch, identity});
  relu(last);
  b.hold(input, b.last());
  b.hold(identity, b.last());
}

}  // namespace

std::vector<NodeId> append_resnet(Builder& b, std::int64_t classes, const std::vector<std::int64_t>& blocks,
                                  bool bottleneck) {
  append_conv_norm(b, "conv1", "bn1", convolution(b, 64, 7, 2, 3));
  b.append("relu", Activation{});
  b.append("maxpool", MaxPool{Window{{3, 3}, {2, 2}, {1, 1}}});
  std::int64_t width = 64;
  for (std::size_t layer = 0; layer < blocks.size(); ++layer) {
    const NodeId input = b.last();
    for (std::int64_t i = 0; i < blocks[layer]; ++i) {
      const std::int64_t stride = layer > 0 && i == 0 ? 2 : 1;
      append_residual_block(b, {fmt::format("layer{}.{}", layer + 1, i), width, stride, bottleneck});
    }
    b.hold(input, b.last());
    width *= 2;
  }
  b.end_features();
  b.append("avgpool", AdaptiveAveragePool{1, 1});
  b.append("flatten", Flatten{});
  b.append("fc", Linear{b.shape().channels, classes});
  return {};
}

}  // namespace vggplan::graph
