// SPDX-License-Identifier: MIT
// Checkpointed segments of networks that are no chain: blocks of torchvision's networks, and counts by hand.
#include <algorithm>

#include "support/catch.hpp"
#include "support/checkpointing.hpp"
#include "vggplan/graph/builder.hpp"
#include "vggplan/lowering/saved.hpp"

namespace vggplan::lowering {
namespace {

using graph::Network;
using graph::NodeId;
using job::Checkpointing;
using support::kBlock;
using support::sequential;
using Names = std::vector<std::pair<std::string, std::string>>;

Network shipped(const std::string& name, std::int64_t side = 224) {
  graph::ModelSpec spec{.name = name};
  spec.architecture = name;
  return graph::build_network(spec, {3, side, side}, 10, graph::Head::adaptive).value();
}

std::vector<Segment> cut(const Network& network, const Checkpointing& how) {
  auto found = segments(network, how);
  REQUIRE(found.has_value());
  return std::move(found).value();
}

/// First and last node of each segment.
Names names_of(const Network& network, const Checkpointing& how) {
  Names names;
  for (const Segment& segment : cut(network, how)) {
    names.emplace_back(network.nodes[segment.first].name, network.nodes[segment.last - 1].name);
  }
  return names;
}

TEST_CASE("ResNet's blocks are those of its layers: checkpoint(layerN[i], x)") {
  Names expected;
  for (int layer = 1; layer <= 4; ++layer) {
    for (int block = 0; block < 2; ++block) {
      const std::string name = "layer" + std::to_string(layer) + "." + std::to_string(block);
      expected.emplace_back(name + ".conv1", name + ".relu2");
    }
  }
  CHECK(names_of(shipped("resnet18"), kBlock) == expected);
  CHECK(names_of(shipped("resnet50"), kBlock).size() == 3 + 4 + 6 + 3);
  CHECK(names_of(shipped("resnet101"), kBlock).size() == 3 + 4 + 23 + 3);
}

TEST_CASE("a dense block ends with its transition, an inverted residual with its sum, or with the chain that it is") {
  CHECK(names_of(shipped("densenet121"), kBlock) ==
        Names{{"features.denseblock1.denselayer1.concat", "features.transition1.pool"},
              {"features.denseblock2.denselayer1.concat", "features.transition2.pool"},
              {"features.denseblock3.denselayer1.concat", "features.transition3.pool"},
              {"features.denseblock4.denselayer1.concat", "relu"}});
  const Names mobile = names_of(shipped("mobilenet-v2"), kBlock);
  REQUIRE(mobile.size() == 16);  // inverted residuals 3 to 16, what comes before and what comes behind
  CHECK(mobile.front() == std::pair<std::string, std::string>{"features.0.0", "features.2.conv.3"});
  CHECK(mobile[1] == std::pair<std::string, std::string>{"features.3.conv.0.0", "features.3.add"});
  CHECK(mobile[2] == std::pair<std::string, std::string>{"features.4.conv.0.0", "features.4.conv.3"});
  CHECK(mobile.back() == std::pair<std::string, std::string>{"features.17.conv.0.0", "features.18.2"});
}

TEST_CASE("of U-Net what lies between its forks is a block, under the skips that pass over it") {
  CHECK(names_of(shipped("unet-vgg16"), kBlock) == Names{{"conv1_1", "relu1_2"},
                                                         {"pool1", "relu2_2"},
                                                         {"pool2", "relu3_3"},
                                                         {"pool3", "relu4_3"},
                                                         {"pool4", "relu5_3"},
                                                         {"up4_conv1", "up3_resize"},
                                                         {"up3_conv1", "up2_resize"},
                                                         {"up2_conv1", "up1_resize"},
                                                         {"up1_conv1", "score"}});
}

TEST_CASE("the same of a U-Net whose encoder is not told apart, as of a file") {
  Network net = shipped("unet-vgg16");
  const Names told = names_of(net, kBlock);
  net.features = net.nodes.size() - 1;
  const Names found = names_of(net, kBlock);
  REQUIRE(found.size() == told.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    CHECK(found[i].first == told[i].first);
  }
}

/// `units` residual blocks of two convolutions, each with a squeeze if that is asked for, under a skip over all, and if
/// that is asked for under one from the last of them.
Network under_a_skip(int units, bool squeezes, bool skips_last = false) {
  graph::Builder b("skipped", {3, 8, 8}, 4);
  const NodeId all = b.append("stem", graph::Convolution{3, 4});
  for (int i = 1; i <= units; ++i) {
    const NodeId input = b.last();
    const std::string name = "block" + std::to_string(i);
    b.append(name + ".conv1", graph::Convolution{4, 4});
    const NodeId map = b.append(name + ".conv2", graph::Convolution{4, 4});
    if (squeezes) {
      b.append(name + ".pool", graph::AdaptiveAveragePool{1, 1});
      const NodeId scale = b.append(name + ".scale", graph::Activation{graph::Function::sigmoid, false});
      b.add(name + ".multiply", graph::Multiply{}, {map, scale});
    }
    b.add(name + ".add", graph::Add{}, {b.last(), input});
  }
  const NodeId inner = b.last();
  const NodeId last = b.append("last", graph::Convolution{4, 4});
  b.add("sum", graph::Add{}, skips_last ? std::vector<NodeId>{last, all, inner} : std::vector<NodeId>{last, all});
  b.end_features();
  b.append("score", graph::Convolution{4, 4});
  return std::move(b).finish(graph::Objective::mse).value();
}

TEST_CASE("under a skip over several residual blocks these are the blocks; one with a squeeze inside stays whole") {
  CHECK(names_of(under_a_skip(3, false), kBlock) ==
        Names{{"block1.conv1", "block1.add"}, {"block2.conv1", "block2.add"}, {"block3.conv1", "last"}});
  CHECK(names_of(under_a_skip(2, false, true), kBlock) ==
        Names{{"block1.conv1", "block1.add"}, {"block2.conv1", "block2.add"}});
  CHECK(names_of(under_a_skip(2, true), kBlock) == Names{{"block1.conv1", "block1.add"}, {"block2.conv1", "last"}});
}

TEST_CASE("a decoder that enlarges by transposed convolutions is cut as one that resizes") {
  const auto blocks = [](bool transposed) {
    graph::Builder b("decoder", {4, 16, 16}, 4);
    const auto units = [&](const std::string& name) {
      for (const char* number : {"1", "2"}) {
        b.append(name + number, graph::Convolution{4, 4});
        b.append(name + "relu" + number, graph::Activation{});
      }
      return b.last();
    };
    const NodeId skip = units("encoder");
    b.append("pool", graph::MaxPool{});
    units("middle");
    graph::Convolution up{4, 4, {2, 2}, {2, 2}, {0, 0}};
    up.transposed = true;
    const NodeId enlarged = transposed ? b.append("up", up) : b.append("up", graph::Resize{{16, 16}, true});
    b.add("both", graph::Concatenate{}, {enlarged, skip});
    b.append("last", graph::Convolution{8, 4});
    b.end_features();
    return names_of(std::move(b).finish(graph::Objective::pixel_cross_entropy).value(), kBlock);
  };
  CHECK(blocks(true) == blocks(false));
  CHECK(blocks(true).front() == std::pair<std::string, std::string>("encoder1", "encoderrelu2"));
}

TEST_CASE("of a chain between blocks each pool ends a block, behind two convolutions or more") {
  graph::Builder b("chain", {4, 32, 32}, 4);
  const auto unit = [&](const std::string& number) {
    b.append("conv" + number, graph::Convolution{4, 4});
    b.append("relu" + number, graph::Activation{});
  };
  unit("1");
  unit("2");
  b.append("pool2", graph::MaxPool{});
  unit("3");
  b.append("pool3", graph::MaxPool{});
  unit("4");
  const NodeId before = b.append("pool4", graph::MaxPool{});
  const NodeId branch = b.append("conv5", graph::Convolution{4, 4});
  b.add("sum", graph::Add{}, {branch, before});
  b.end_features();
  b.append("mean", graph::AdaptiveAveragePool{1, 1});
  b.append("flatten", graph::Flatten{});
  const Network network = std::move(b).finish(graph::Objective::cross_entropy).value();
  CHECK(names_of(network, kBlock) == Names{{"conv1", "pool2"}, {"conv3", "pool4"}, {"conv5", "sum"}});
}

TEST_CASE("what activates a sum belongs to the sum, not to the convolutions behind it") {
  graph::Builder b("activated", {4, 8, 8}, 4);
  const NodeId map = b.append("stem", graph::Convolution{4, 4});
  const NodeId branch = b.append("conv", graph::Convolution{4, 4});
  b.add("sum", graph::Add{}, {branch, map});
  b.append("relu", graph::Activation{graph::Function::relu, false});
  b.append("one", graph::Convolution{4, 4});
  b.append("two", graph::Convolution{4, 4});
  b.end_features();
  CHECK(names_of(std::move(b).finish(graph::Objective::mse).value(), kBlock) ==
        Names{{"conv", "relu"}, {"one", "two"}});
}

TEST_CASE("a block ends with the features, though what follows them is an activation") {
  graph::Builder b("ends", {4, 8, 8}, 4);
  const NodeId map = b.append("stem", graph::Convolution{4, 4});
  const NodeId branch = b.append("conv", graph::Convolution{4, 4});
  b.add("sum", graph::Add{}, {branch, map});
  b.end_features();
  b.append("relu", graph::Activation{graph::Function::relu, false});
  CHECK(names_of(std::move(b).finish(graph::Objective::mse).value(), kBlock) == Names{{"conv", "sum"}});
}

TEST_CASE("features that are a chain stay one whoever reads their end, and end there") {
  graph::Builder b("heads", {4, 8, 8}, 4);
  b.append("conv", graph::Convolution{4, 4});
  const NodeId map = b.append("relu", graph::Activation{});
  b.end_features();
  const NodeId pool = b.append("pool", graph::MaxPool{});
  const NodeId score = b.add("score", graph::Convolution{4, 4}, {map});
  CHECK(names_of(std::move(b).finish(graph::Objective::mse, {pool, score}).value(), kBlock) == Names{{"conv", "relu"}});
}

TEST_CASE("seq:N moves each cut to the nearest place that one tensor alone crosses") {
  // 66 layers: wanted behind 33, or 22 and 44. The nearest ends of blocks lie behind 4, 11, 18, 27, 34, 43, 50, 59, 66.
  const Network net = shipped("resnet18");
  REQUIRE(net.features - kFirstNode == 66);
  CHECK(cut(net, sequential(1)).empty());
  CHECK(cut(net, sequential(2)) == std::vector<Segment>{{1, 35}});
  CHECK(cut(net, sequential(3)) == std::vector<Segment>{{1, 19}, {19, 44}});
}

TEST_CASE("more segments than there are cuts are refused, with what works") {
  const auto error = [](const std::string& name, std::int64_t count) {
    return segments(shipped(name), sequential(count)).error();
  };
  CHECK(error("unet-vgg16", 4).rule ==
        "seq:4 needs 3 cuts that one tensor alone crosses, but the features of unet-vgg16 have 2");
  CHECK(error("unet-vgg16", 4).remedy == "use block, seq:2, seq:3");
  // Cuts lie before the first norm, the pool and each of eight blocks.
  CHECK(error("resnet18", 67).remedy == "use block, seq:9, seq:10, seq:11");
  CHECK(error("resnet18", 67).rule ==
        "takes seq:N with N from 1 to 66, the layers of the features of resnet18, not 67");
}

TEST_CASE("where nothing can be cut, the message says what a block would be") {
  graph::Builder b("two", {3, 8, 8}, 4);
  const NodeId left = b.add("left", graph::Convolution{3, 4}, {0});
  const NodeId right = b.add("right", graph::Convolution{3, 4}, {0});
  b.add("both", graph::Concatenate{}, {left, right, 0});
  b.end_features();
  Network net = std::move(b).finish(graph::Objective::mse, {left, b.last()}).value();
  const auto found = segments(net, kBlock);
  REQUIRE(!found.has_value());
  CHECK(found.error().rule ==
        "finds no block in two that reads one tensor, hands on one, and holds two convolutions or branches that meet");
  CHECK(found.error().remedy == "use --checkpointing none");
}

/// A convolution of the image, two residual blocks, and what classifies: maps of 4 x 8 x 8.
Network two_blocks() {
  graph::Builder b("two-blocks", {3, 8, 8}, 10);
  const auto conv = [&](const std::string& name) {
    b.append(name, graph::Convolution{b.shape().channels, 4});
    b.append(name + ".norm", graph::BatchNorm{4});
  };
  conv("stem");
  b.append("stem.relu", graph::Activation{});
  for (const std::string block : {"one", "two"}) {
    const NodeId input = b.last();
    conv(block + ".conv1");
    b.append(block + ".relu1", graph::Activation{});
    conv(block + ".conv2");
    b.add(block + ".add", graph::Add{.in_place = true}, {b.last(), input});
    b.append(block + ".relu2", graph::Activation{});
    b.hold(input, b.last());
  }
  b.end_features();
  b.append("avgpool", graph::AdaptiveAveragePool{1, 1});
  b.append("flatten", graph::Flatten{});
  b.append("fc", graph::Linear{4, 10});
  return std::move(b).finish(graph::Objective::cross_entropy).value();
}

TEST_CASE("a block that ends with a sum runs again once the gradient has passed the sum, up to its last norm") {
  Network net = two_blocks();
  net.nodes[17].kind = graph::Dropout{0};  // two.relu2 saves nothing any more: the sum and it are behind two.conv2.norm
  const std::vector<Segment> found{{11, 18}};
  const std::vector<Visit> visits = schedule(net, found, job::Mode::train);
  const auto backward_of = [&](NodeId id) {
    return std::ranges::find(visits, Visit{Pass::backward, id, id > 17 ? kNoSegment : 0}) - visits.begin();
  };
  CHECK(backward_of(17) + 1 == backward_of(16));
  CHECK(backward_of(16) + 1 + 5 == backward_of(15));  // conv1 to conv2.norm, five nodes
  CHECK(visits.at(static_cast<std::size_t>(backward_of(15)) - 1) == Visit{Pass::recompute, 15, 0});
}

TEST_CASE("frozen blocks are not checkpointed: autograd saves nothing of them") {
  Network net = two_blocks();
  for (NodeId id = 0; id < 11; ++id) {
    net.nodes[id].trained = false;
  }
  CHECK(cut(net, kBlock) == std::vector<Segment>{{11, 18}});
  for (graph::Node& node : net.nodes) {
    node.trained = node.name == "fc";
  }
  CHECK(cut(net, kBlock).empty());
}

}  // namespace
}  // namespace vggplan::lowering
