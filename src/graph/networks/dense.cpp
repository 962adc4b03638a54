// SPDX-License-Identifier: MIT
// Networks with VGG16's convolutions that predict a value for each pixel.
#include <fmt/format.h>

#include <array>

#include "graph/networks/networks.hpp"

namespace vggplan::graph {
namespace {

constexpr std::array<std::int64_t, 5> kVgg16Widths{64, 128, 256, 512, 512};
constexpr std::array<std::int64_t, 5> kVgg16Depths{2, 2, 3, 3, 3};

/// With bias, of the channels of `input`.
Convolution dense_convolution(const Builder& b, NodeId input, std::int64_t out, std::int64_t kernel) {
  return {b.shape(input).channels, out, {kernel, kernel}, {1, 1}, {kernel / 2, kernel / 2}};
}

/// Of as many channels as it is given, without bias: enlarges a map `stride` times.
Convolution enlarging(std::int64_t channels, std::int64_t stride) {
  Convolution conv{channels, channels, {2 * stride, 2 * stride}, {stride, stride}, {stride / 2, stride / 2}};
  conv.bias = false;
  conv.transposed = true;
  return conv;
}

}  // namespace

void append_vgg16_block(Builder& b, std::size_t block) {
  for (std::int64_t position = 1; position <= kVgg16Depths.at(block); ++position) {
    append_unit(b, static_cast<std::int64_t>(block) + 1, position, kVgg16Widths.at(block), false);
  }
}

std::vector<NodeId> append_vgg16(Builder& builder, std::size_t stages) {
  std::vector<NodeId> ends;
  for (std::size_t block = 0; block < stages; ++block) {
    if (block > 0) {
      builder.append(fmt::format("pool{}", block), MaxPool{});
    }
    append_vgg16_block(builder, block);
    ends.push_back(builder.last());
  }
  return ends;
}

/// VGG16 as encoder; nearest upsampling, concatenation and two convolutions a level.
std::vector<NodeId> append_unet(Builder& b, std::int64_t classes) {
  const std::vector<NodeId> skips = append_vgg16(b, kVgg16Widths.size());
  b.end_features();
  for (std::size_t level = skips.size() - 1; level > 0; --level) {
    const NodeId skip = skips[level - 1];
    const std::int64_t width = kVgg16Widths.at(level - 1);
    const Shape low = b.shape();
    const auto name = [&](std::string_view what) { return fmt::format("up{}_{}", level, what); };
    const NodeId resized = b.append(name("resize"), Resize{{2 * low.height, 2 * low.width}});
    const NodeId both = b.add(name("concat"), Concatenate{}, {resized, skip});
    b.append(name("conv1"), dense_convolution(b, b.last(), width, 3));
    b.append(name("relu1"), Activation{});
    b.append(name("conv2"), dense_convolution(b, b.last(), width, 3));
    b.append(name("relu2"), Activation{});
    b.hold(resized, b.last());
    b.hold(both, b.last());
  }
  b.append("score", dense_convolution(b, b.last(), classes, 1));
  return {};
}

/// Long, Shelhamer and Darrell 2015: VGG16's Linear layers as convolutions, and sums with the scores of pool4 and
/// pool3.
std::vector<NodeId> append_fcn8s(Builder& b, std::int64_t classes) {
  append_vgg16(b, 3);
  const NodeId pool3 = b.append("pool3", MaxPool{});
  append_vgg16_block(b, 3);
  const NodeId pool4 = b.append("pool4", MaxPool{});
  append_vgg16_block(b, 4);
  const NodeId pool5 = b.append("pool5", MaxPool{});
  b.end_features();
  b.append("fc6", dense_convolution(b, pool5, 4096, 7));
  b.append("relu6", Activation{});
  b.append("drop6", Dropout{0.5, true});
  b.append("fc7", dense_convolution(b, b.last(), 4096, 1));
  b.append("relu7", Activation{});
  b.append("drop7", Dropout{0.5, true});
  const NodeId score = b.append("score_fr", dense_convolution(b, b.last(), classes, 1));
  b.hold(pool5, score);

  const NodeId up2 = b.append("upscore2", enlarging(classes, 2));
  const NodeId score4 = b.add("score_pool4", dense_convolution(b, pool4, classes, 1), {pool4});
  const NodeId sum4 = b.add("sum_pool4", Add{}, {up2, score4});
  const NodeId up4 = b.append("upscore_pool4", enlarging(classes, 2));
  const NodeId score3 = b.add("score_pool3", dense_convolution(b, pool3, classes, 1), {pool3});
  const NodeId sum3 = b.add("sum_pool3", Add{}, {up4, score3});
  b.hold(sum4, sum3);
  const NodeId out = b.append("upscore8", enlarging(classes, 8));
  for (const NodeId variable : {pool3, pool4, score}) {
    b.hold(variable, out);
  }
  return {};
}

/// Li, Zhang and Chen 2018, configuration B: VGG16 to conv4_3, then dilated convolutions; one density for 8x8 pixels.
std::vector<NodeId> append_csrnet(Builder& b) {
  append_vgg16(b, 4);
  const NodeId front = b.last();
  b.end_features();
  std::int64_t position = 1;
  for (const std::int64_t width : {512, 512, 512, 256, 128, 64}) {
    b.append(fmt::format("back{}", position), Convolution{b.shape().channels, width, {3, 3}, {1, 1}, {2, 2}, {2, 2}});
    b.append(fmt::format("relu_back{}", position), Activation{});
    ++position;
  }
  b.hold(front, b.last());
  b.append("density", dense_convolution(b, b.last(), 1, 1));
  return {};
}

}  // namespace vggplan::graph
