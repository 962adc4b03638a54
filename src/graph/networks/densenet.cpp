// SPDX-License-Identifier: MIT
// Huang et al. 2017 as torchvision/models/densenet.py builds it: every layer concatenates all features before it anew.
#include <fmt/format.h>

#include <array>

#include "graph/networks/networks.hpp"

namespace vggplan::graph {
namespace {

constexpr std::int64_t kGrowth = 32;
constexpr std::int64_t kBottleneckWidth = 4 * kGrowth;
constexpr std::array<std::int64_t, 4> kDenseBlocks{6, 12, 24, 16};

/// Batch norm, ReLU and a convolution, the `position`-th of `name`, behind the last node.
NodeId append_norm_conv(Builder& b, const std::string& name, std::string_view position, const Convolution& conv) {
  b.append(fmt::format("{}.norm{}", name, position), BatchNorm{conv.in_channels});
  b.append(fmt::format("{}.relu{}", name, position), Activation{});
  return b.append(fmt::format("{}.conv{}", name, position), conv);
}

void append_dense_block(Builder& b, const std::string& name, std::int64_t layers) {
  const NodeId input = b.last();
  std::vector<NodeId> features{input};
  for (std::int64_t i = 1; i <= layers; ++i) {
    const std::string layer = fmt::format("{}.denselayer{}", name, i);
    const NodeId all = b.add(layer + ".concat", Concatenate{}, features);
    const NodeId bottleneck = append_norm_conv(b, layer, "1", convolution(b, kBottleneckWidth, 1, 1, 0));
    b.hold(all, bottleneck);
    features.push_back(append_norm_conv(b, layer, "2", convolution(b, kGrowth, 3, 1, 1)));
    b.hold(bottleneck, b.last());
  }
  b.add(name + ".concat", Concatenate{}, features);
  for (const NodeId feature : features) {
    b.hold(feature, b.last());
  }
}

}  // namespace

std::vector<NodeId> append_densenet121(Builder& b, std::int64_t classes) {
  append_conv_norm(b, "features.conv0", "features.norm0", convolution(b, 64, 7, 2, 3));
  b.append("features.relu0", Activation{});
  b.append("features.pool0", MaxPool{Window{{3, 3}, {2, 2}, {1, 1}}});
  for (std::size_t block = 0; block < kDenseBlocks.size(); ++block) {
    append_dense_block(b, fmt::format("features.denseblock{}", block + 1), kDenseBlocks.at(block));
    if (block + 1 < kDenseBlocks.size()) {
      const std::string name = fmt::format("features.transition{}", block + 1);
      const NodeId input = b.last();
      append_norm_conv(b, name, "", convolution(b, b.shape().channels / 2, 1, 1, 0));
      b.append(name + ".pool", AveragePool{});
      b.hold(input, b.last());
    }
  }
  b.append("features.norm5", BatchNorm{b.shape().channels});
  const NodeId features = b.append("relu", Activation{});
  b.end_features();
  b.append("avgpool", AdaptiveAveragePool{1, 1});
  b.append("flatten", Flatten{});
  b.append("classifier", Linear{b.shape().channels, classes});
  b.hold(features, b.last());
  return {};
}

}  // namespace vggplan::graph
