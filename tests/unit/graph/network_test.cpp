// SPDX-License-Identifier: MIT
#include <limits>

#include "support/catch.hpp"
#include "support/vgg.hpp"
#include "vggplan/base/checked.hpp"

namespace vggplan::graph {
namespace {

using support::layer_count;
using support::network;
using support::node_of;
using support::vgg;
using support::vgg16;

std::vector<std::string> names(const Network& net, NodeId first) {
  std::vector<std::string> found;
  for (NodeId id = first; is_layer(net.nodes[id]); ++id) {
    found.push_back(net.nodes[id].name);
  }
  return found;
}

base::Diagnostic error_of(const ModelSpec& spec, Shape input, std::int64_t classes = 1000, Head head = Head::adaptive) {
  const auto built = build_network(spec, input, classes, head);
  REQUIRE(!built.has_value());
  return built.error();
}

TEST_CASE("vgg16 has torchvision's layers in torchvision's order") {
  const Network net = vgg16(224, 224);
  REQUIRE(layer_count(net) == 31 + 2 + 7);
  CHECK(net.features == 1 + 31);
  // ReLUs of torchvision's vgg16.features, behind the image
  for (const std::size_t i : {2U, 4U, 7U, 9U, 12U, 14U, 16U, 19U, 21U, 23U, 26U, 28U, 30U}) {
    CHECK(net.nodes[i].kind == Kind(Activation{}));
  }
  for (const std::size_t i : {5U, 10U, 17U, 24U, 31U}) {
    CHECK(std::holds_alternative<MaxPool>(net.nodes[i].kind));
  }
  CHECK(net.nodes[13].name == "conv3_2");
  CHECK(net.nodes[16].name == "relu3_3");
  CHECK(net.nodes[31].name == "pool5");
  CHECK(names(net, 32) == std::vector<std::string>{"avgpool", "flatten", "fc1", "relu_fc1", "dropout1", "fc2",
                                                   "relu_fc2", "dropout2", "fc3"});
}

TEST_CASE("batch norm stands between a convolution and its ReLU") {
  const Network net = network(vgg(16, true), {3, 224, 224});
  CHECK(net.features == 1 + 44);  // torchvision: len(vgg16_bn().features)
  CHECK(net.nodes[1].name == "conv1_1");
  CHECK(net.nodes[2].name == "bn1_1");
  CHECK(net.nodes[3].name == "relu1_1");
  CHECK(net.nodes[2].kind == Kind(BatchNorm{64}));
}

TEST_CASE("every layer's input is the output before it") {
  for (const int depth : {11, 13, 16, 19}) {
    for (const Head head : {Head::adaptive, Head::flatten, Head::gap}) {
      const Network net = network(vgg(depth, true), {4, 333, 517}, 7, head);
      Shape flowing = net.input;
      for (NodeId id = 1; id < net.nodes.size(); ++id) {
        CHECK(net.nodes[id].inputs == std::vector<NodeId>{id - 1});
        CHECK(net.nodes[id].input == flowing);
        flowing = is_layer(net.nodes[id]) ? net.nodes[id].output : flowing;
      }
      CHECK(flowing == Shape{7, 1, 1});
    }
  }
}

TEST_CASE("pools round down, convolutions keep the size") {
  const Network net = vgg16(4024, 3036);
  CHECK(node_of(net, "conv1_2").output == Shape{64, 4024, 3036});
  CHECK(node_of(net, "pool1").output == Shape{64, 2012, 1518});
  CHECK(node_of(net, "pool2").output == Shape{128, 1006, 759});
  CHECK(node_of(net, "pool3").output == Shape{256, 503, 379});
  CHECK(node_of(net, "pool4").output == Shape{512, 251, 189});
  CHECK(node_of(net, "pool5").output == Shape{512, 125, 94});
  CHECK(node_of(net, "avgpool").output == Shape{512, 7, 7});
  CHECK(node_of(net, "fc1").kind == Kind(Linear{25088, 4096}));
}

TEST_CASE("heads replace what follows the last pool") {
  const Network flat = vgg16(512, 384, Head::flatten);
  CHECK(names(flat, 32) ==
        std::vector<std::string>{"flatten", "fc1", "relu_fc1", "dropout1", "fc2", "relu_fc2", "dropout2", "fc3"});
  CHECK(node_of(flat, "fc1").kind == Kind(Linear{512 * 16 * 12, 4096}));
  const Network gap = vgg16(512, 384, Head::gap);
  CHECK(names(gap, 32) == std::vector<std::string>{"avgpool", "flatten", "fc1"});
  CHECK(node_of(gap, "avgpool").output == Shape{512, 1, 1});
  CHECK(node_of(gap, "fc1").kind == Kind(Linear{512, 1000}));
}

TEST_CASE("the smallest image is a pixel for each pool's halving") {
  const Network net = vgg16(32, 63);
  CHECK(node_of(net, "pool5").output == Shape{512, 1, 1});
  const auto error = error_of(vgg(16), {3, 31, 63});
  CHECK(error.fault == base::Fault::question);
  CHECK(error.place == "--height");
  CHECK(error.rule == "must be 32 to 1048576 for vgg16, which halves the image 5 times, but is 31");
  CHECK(error.remedy == "give 32 or more");
  CHECK(error_of(vgg(16), {3, 32, 0}).place == "--width");
}

TEST_CASE("channels and classes start at one") {
  CHECK(node_of(network(vgg(11), {1, 32, 32}, 1), "fc3").output == Shape{1, 1, 1});
  CHECK(node_of(network(vgg(11), {13, 32, 32}, 21841), "conv1_1").kind == Kind(Convolution{13, 64}));
  const auto channels = error_of(vgg(11), {0, 32, 32});
  CHECK(channels.place == "--channels");
  CHECK(channels.rule == "must be 1 to 1048576, but is 0");
  CHECK(error_of(vgg(11), {3, 32, 32}, 0).place == "--classes");
  CHECK(error_of(vgg(11), {3, 32, 32}, -5).rule == "must be 1 to 1073741824, but is -5");
}

TEST_CASE("a question whose counts pass 2^53 is refused, not wrapped") {
  constexpr auto huge = std::numeric_limits<std::int64_t>::max();
  CHECK(error_of(vgg(16), {3, huge, 224}).place == "--height");
  CHECK(error_of(vgg(16), {huge, 224, 224}).place == "--channels");
  CHECK(error_of(vgg(16), {3, 224, 224}, huge).place == "--classes");
  CHECK(error_of(vgg(16), {3, huge, 224}).remedy == "give at most 1048576");
  constexpr std::int64_t side = 1 << 20;
  for (const Head head : {Head::adaptive, Head::flatten, Head::gap}) {
    const auto error = error_of(vgg(16), {side, side, side}, side, head);
    CHECK(error.place == "--height, --width");
    CHECK(error.remedy == "give a smaller image, or fewer channels or classes");
  }
  // conv1_1: 2^40 pixels x 27 x 64 x 4 FLOPs = 7.6e15, just below 2^53; conv1_2 adds 21 times as many.
  CHECK(error_of(vgg(16), {3, 1 << 20, 1 << 20}).rule ==
        "1048576x1048576 with 3 channels is too large: at conv1_2, the FLOPs of a training step pass 9007199254740992, "
        "the largest number that is counted exactly");
}

TEST_CASE("whatever is built has counts below 2^53") {
  // Sides grow until the first refusal; the last network before it must still be exact.
  for (const Head head : {Head::adaptive, Head::flatten, Head::gap}) {
    std::int64_t side = 1024;
    while (build_network(vgg(19, true), {3, side, side}, 1000, head).has_value()) {
      side += side / 16;
    }
    side = side * 16 / 17;
    const auto built = build_network(vgg(19, true), {3, side - 1, side - 1}, 1000, head);
    REQUIRE(built.has_value());
    const LayerCounts total = count(*built);
    CHECK(side > 16384);
    CHECK(total.flops_forward.count() + total.flops_backward.count() <= base::kLargestExact);
    CHECK(total.flops_forward.count() > 0);
    CHECK(total.parameters > 0);
  }
}

TEST_CASE("a model that cannot be built names what is wrong with it") {
  ModelSpec spec = vgg(16);
  spec.features.clear();
  CHECK(error_of(spec, {3, 224, 224}).place == "model vgg16");
  CHECK(error_of(spec, {3, 224, 224}).rule == "features must hold 1 to 1000 entries and begin with a convolution");
  spec.features = {kPool, 64};
  CHECK(error_of(spec, {3, 224, 224}).remedy == "list the widths of the convolutions, with pools between them");
  spec.features.assign(22, kPool);
  spec.features[0] = 64;
  CHECK(error_of(spec, {3, 224, 224}).rule == "has more than 20 pools, which leave nothing of any image");
  spec.features.pop_back();
  CHECK(error_of(spec, {3, 224, 224}).rule ==
        "must be 1048576 to 1048576 for vgg16, which halves the image 20 times, but is 224");
}

TEST_CASE("a model of one's own may have other pools and hidden layers") {
  ModelSpec spec{.name = "small", .features = {8, kPool, 16}, .hidden = {32}};
  const Network net = network(spec, {1, 2, 3}, 5, Head::flatten);
  CHECK(names(net, 1) == std::vector<std::string>{"conv1_1", "relu1_1", "pool1", "conv2_1", "relu2_1", "flatten", "fc1",
                                                  "relu_fc1", "dropout1", "fc2"});
  CHECK(node_of(net, "fc1").kind == Kind(Linear{16, 32}));
}

}  // namespace
}  // namespace vggplan::graph
