// SPDX-License-Identifier: MIT
// Sandler et al. 2018 as torchvision/models/mobilenetv2.py builds it.
#include <fmt/format.h>

#include <array>

#include "graph/networks/networks.hpp"

namespace vggplan::graph {
namespace {

/// A row of the paper's table 2: inverted residuals of `out` channels.
struct MobileStage {
  std::int64_t expansion{};
  std::int64_t out{};
  std::int64_t blocks{};
  std::int64_t stride{};
};
constexpr std::array<MobileStage, 7> kMobileStages{
    {{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}}};

void append_conv_norm_relu6(Builder& b, const std::string& name, const Convolution& conv) {
  append_conv_norm(b, name + ".0", name + ".1", conv);
  b.append(name + ".2", Activation{Function::relu6});
}

void append_inverted_residual(Builder& b, const std::string& name, const MobileStage& stage, std::int64_t stride) {
  const NodeId input = b.last();
  const std::int64_t in = b.shape().channels;
  const std::int64_t hidden = in * stage.expansion;
  int position = 0;
  const auto next = [&] { return fmt::format("{}.conv.{}", name, position++); };
  if (stage.expansion != 1) {
    append_conv_norm_relu6(b, next(), convolution(b, hidden, 1, 1, 0));
  }
  Convolution depthwise = convolution(b, hidden, 3, stride, 1);
  depthwise.groups = hidden;
  append_conv_norm_relu6(b, next(), depthwise);
  const std::string project = next();
  append_conv_norm(b, project, next(), convolution(b, stage.out, 1, 1, 0));
  if (stride == 1 && in == stage.out) {
    b.add(name + ".add", Add{}, {input, b.last()});
  }
  b.hold(input, b.last());
}

}  // namespace

std::vector<NodeId> append_mobilenet_v2(Builder& b, std::int64_t classes) {
  append_conv_norm_relu6(b, "features.0", convolution(b, 32, 3, 2, 1));
  int index = 1;
  for (const MobileStage& stage : kMobileStages) {
    for (std::int64_t i = 0; i < stage.blocks; ++i) {
      append_inverted_residual(b, fmt::format("features.{}", index++), stage, i == 0 ? stage.stride : 1);
    }
  }
  const NodeId input = b.last();
  append_conv_norm_relu6(b, fmt::format("features.{}", index), convolution(b, 1280, 1, 1, 0));
  b.hold(input, b.last());
  b.end_features();
  b.append("avgpool", AdaptiveAveragePool{1, 1});
  const NodeId flat = b.append("flatten", Flatten{});
  b.append("classifier.0", Dropout{0.2});
  b.append("classifier.1", Linear{b.shape().channels, classes});
  b.hold(flat, b.last());
  return {};
}

}  // namespace vggplan::graph
