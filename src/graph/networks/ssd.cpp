// SPDX-License-Identifier: MIT
// Liu et al. 2016: boxes and classes from six maps of a VGG16 whose Linear layers are convolutions.
#include <fmt/format.h>

#include <array>

#include "graph/networks/networks.hpp"

namespace vggplan::graph {
namespace {

constexpr std::array<std::int64_t, 6> kBoxesPerPlace{4, 6, 6, 6, 4, 4};

Convolution with_bias(Convolution conv) {
  conv.bias = true;
  return conv;
}

struct Extra {
  std::int64_t narrow{};
  std::int64_t wide{};
  std::int64_t stride{};
  std::int64_t padding{};
};
constexpr std::array<Extra, 4> kExtras{{{256, 512, 2, 1}, {128, 256, 2, 1}, {128, 256, 1, 0}, {128, 256, 1, 0}}};

/// VGG16 to its last ReLU; pool3 rounds up, so that 75 becomes 38.
NodeId append_ssd_base(Builder& b) {
  append_vgg16(b, 3);
  b.append("pool3", MaxPool{Window{.ceil = true}});
  append_vgg16_block(b, 3);
  const NodeId conv4 = b.last();
  b.append("pool4", MaxPool{});
  append_vgg16_block(b, 4);
  b.append("pool5", MaxPool{Window{{3, 3}, {1, 1}, {1, 1}}});
  b.append("conv6", Convolution{512, 1024, {3, 3}, {1, 1}, {6, 6}, {6, 6}});
  b.append("relu6", Activation{});
  b.append("conv7", with_bias(convolution(b, 1024, 1, 1, 0)));
  b.append("relu7", Activation{});
  return conv4;
}

/// One head over all maps: `values` for each box.
NodeId append_ssd_head(Builder& b, std::string_view name, const std::vector<NodeId>& maps, std::int64_t values) {
  std::vector<NodeId> parts;
  for (std::size_t i = 0; i < maps.size(); ++i) {
    Convolution conv{b.shape(maps[i]).channels, kBoxesPerPlace.at(i) * values};
    const NodeId scores = b.add(fmt::format("{}{}", name, i + 1), conv, {maps[i]});
    parts.push_back(b.add(fmt::format("{}{}_rows", name, i + 1), Flatten{values}, {scores}));
  }
  return b.add(std::string(name), Concatenate{}, parts);
}

}  // namespace

std::vector<NodeId> append_ssd300(Builder& b, std::int64_t classes) {
  std::vector<NodeId> maps{append_ssd_base(b)};
  maps.push_back(b.last());
  b.end_features();
  std::int64_t block = 8;
  for (const Extra& extra : kExtras) {
    const auto name = [&](std::string_view what, int position) {
      return fmt::format("{}{}_{}", what, block, position);
    };
    b.append(name("conv", 1), with_bias(convolution(b, extra.narrow, 1, 1, 0)));
    b.append(name("relu", 1), Activation{});
    b.append(name("conv", 2), with_bias(convolution(b, extra.wide, 3, extra.stride, extra.padding)));
    maps.push_back(b.append(name("relu", 2), Activation{}));
    ++block;
  }
  const NodeId boxes = append_ssd_head(b, "loc", maps, 4);
  const NodeId scores = append_ssd_head(b, "cls", maps, classes);
  for (const NodeId map : maps) {
    b.hold(map, scores);
  }
  return {boxes, scores};
}

}  // namespace vggplan::graph
