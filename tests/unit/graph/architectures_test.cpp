// SPDX-License-Identifier: MIT
// The networks that ship beside VGG, against counts that others published and shapes by hand.
#include "vggplan/graph/architectures.hpp"

#include <algorithm>

#include "support/catch.hpp"
#include "support/vgg.hpp"
#include "vggplan/graph/builder.hpp"

namespace vggplan::graph {
namespace {

ModelSpec shipped(std::string_view name) { return {.name = std::string(name), .architecture = std::string(name)}; }

Network built(std::string_view name, std::int64_t height, std::int64_t width) {
  return support::network(shipped(name), {3, height, width}, architecture_of(name).classes);
}

base::Diagnostic refused(std::string_view name, Shape image, std::int64_t classes, Head head = Head::adaptive) {
  const auto network = build_network(shipped(name), image, classes, head);
  REQUIRE(!network.has_value());
  return network.error();
}

const Node& named(const Network& net, std::string_view name) {
  const auto found = std::ranges::find(net.nodes, name, &Node::name);
  REQUIRE(found != net.nodes.end());
  return *found;
}

TEST_CASE("parameters are those that torchvision publishes, and those that were measured") {
  const auto parameters = [](std::string_view name, std::int64_t side = 224) {
    return count(built(name, side, side)).parameters;
  };
  // torchvision 0.26, `num_params` of each *_Weights.
  CHECK(parameters("resnet18") == 11'689'512);
  CHECK(parameters("resnet34") == 21'797'672);
  CHECK(parameters("resnet50") == 25'557'032);
  CHECK(parameters("resnet101") == 44'549'160);
  CHECK(parameters("mobilenet-v2") == 3'504'872);
  CHECK(parameters("densenet121") == 7'978'856);
  // sum(p.numel() for p in net.parameters()) of the networks that were measured.
  CHECK(parameters("unet-vgg16") == 24'892'437);
  CHECK(parameters("fcn8s-vgg16") == 134'489'759);
  CHECK(parameters("csrnet") == 16'263'489);
  // 26,285,486 of github.com/lufficc/SSD with 21 classes, less the 512 scales of its L2 norm.
  CHECK(parameters("ssd300-vgg16", 300) == 26'284'974);
}

TEST_CASE("multiply-accumulates are torchvision's, to the three digits that it publishes") {
  // `_ops` of each *_Weights, in 10^9 at 224x224.
  for (const auto& [name, giga] : std::vector<std::pair<std::string_view, double>>{{"resnet18", 1.814},
                                                                                   {"resnet34", 3.664},
                                                                                   {"resnet50", 4.089},
                                                                                   {"resnet101", 7.801},
                                                                                   {"mobilenet-v2", 0.301},
                                                                                   {"densenet121", 2.834}}) {
    INFO(name);
    CHECK(std::abs(static_cast<double>(count(built(name, 224, 224)).macs) / 1e9 - giga) <= 0.0005);
  }
}

TEST_CASE("tensors are as many as PyTorch's") {
  // len(list(net.parameters()))
  for (const auto& [name, tensors] : std::vector<std::pair<std::string_view, std::size_t>>{{"unet-vgg16", 44},
                                                                                           {"fcn8s-vgg16", 39},
                                                                                           {"csrnet", 34},
                                                                                           {"ssd300-vgg16", 70},
                                                                                           {"resnet18", 62},
                                                                                           {"resnet34", 110},
                                                                                           {"resnet50", 161},
                                                                                           {"resnet101", 314},
                                                                                           {"mobilenet-v2", 158},
                                                                                           {"densenet121", 364}}) {
    INFO(name);
    CHECK(trained_tensors(built(name, 320, 320)).size() == tensors);
  }
}

TEST_CASE("nodes come after their inputs, have one name each, and end in the loss") {
  for (const Architecture& architecture : architectures()) {
    INFO(architecture.name);
    const Network net = built(architecture.name, 320, 352);
    std::vector<std::string> names;
    for (NodeId id = 0; id < net.nodes.size(); ++id) {
      const Node& node = net.nodes[id];
      names.push_back(node.name);
      CHECK(std::ranges::all_of(node.inputs, [&](NodeId input) { return input < id; }));
      CHECK((!node.held || (*node.held >= id && *node.held < net.nodes.size() - 1)));
    }
    std::ranges::sort(names);
    CHECK(std::ranges::adjacent_find(names) == names.end());
    CHECK(net.nodes.back().kind == Kind(Loss{architecture.objective}));
    CHECK((net.features > 1 && net.features < net.nodes.size()));
  }
}

TEST_CASE("a score for each pixel has the image's sides") {
  CHECK(named(built("unet-vgg16", 208, 304), "score").output == Shape{21, 208, 304});
  CHECK(named(built("unet-vgg16", 208, 304), "up4_concat").output == Shape{1024, 26, 38});
  CHECK(named(built("fcn8s-vgg16", 224, 320), "upscore8").output == Shape{21, 224, 320});
  CHECK(named(built("fcn8s-vgg16", 224, 320), "sum_pool4").output == Shape{21, 14, 20});
  CHECK(named(built("csrnet", 768, 1021), "density").output == Shape{1, 96, 127});
}

TEST_CASE("images whose sides are the named multiples fit") {
  for (const Architecture& architecture : architectures()) {
    INFO(architecture.name);
    const std::int64_t m = architecture.multiple;
    CHECK(built(architecture.name, 320 / m * m + m, 512 / m * m + m).classes == architecture.classes);
    if (m > 1) {
      CHECK(!refused(architecture.name, {3, 320 + m / 2, 512}, architecture.classes).rule.empty());
    }
  }
}

TEST_CASE("SSD300 predicts 8732 boxes") {
  // Liu et al. 2016, section 3.1: 38^2 x 4 + 19^2 x 6 + 10^2 x 6 + 5^2 x 6 + 3^2 x 4 + 1 x 4.
  const Network net = built("ssd300-vgg16", 300, 300);
  CHECK(named(net, "loc").output == Shape{8732, 4, 1});
  CHECK(named(net, "cls").output == Shape{8732, 21, 1});
  CHECK(net.nodes.back().inputs.size() == 2);
  CHECK(named(net, "pool3").output == Shape{256, 38, 38});  // rounds up
  CHECK(named(net, "relu7").output == Shape{1024, 19, 19});
}

TEST_CASE("stages of the classifiers halve the image") {
  const Network resnet = built("resnet50", 224, 224);
  CHECK(named(resnet, "maxpool").output == Shape{64, 56, 56});
  CHECK(named(resnet, "layer1.2.add").output == Shape{256, 56, 56});
  CHECK(named(resnet, "layer4.0.conv1").output == Shape{512, 14, 14});  // the 3x3 has the stride
  CHECK(named(resnet, "layer4.0.conv2").output == Shape{512, 7, 7});
  CHECK(named(resnet, "avgpool").output == Shape{2048, 1, 1});
  CHECK(named(built("mobilenet-v2", 224, 224), "features.18.2").output == Shape{1280, 7, 7});
  const Network densenet = built("densenet121", 224, 224);
  CHECK(named(densenet, "features.denseblock1.concat").output == Shape{256, 56, 56});
  CHECK(named(densenet, "features.denseblock4.denselayer16.concat").output == Shape{992, 7, 7});
  CHECK(named(densenet, "features.norm5").output == Shape{1024, 7, 7});
}

TEST_CASE("a block's input and identity are held until it returns") {
  const Network net = built("resnet18", 224, 224);
  const auto held_to = [&](std::string_view name) { return net.nodes.at(named(net, name).held.value()).name; };
  CHECK(held_to("maxpool") == "layer1.1.relu2");  // the argument of layer1
  CHECK(held_to("layer1.0.relu2") == "layer1.1.relu2");
  CHECK(held_to("layer2.0.downsample.1") == "layer2.0.relu2");
}

TEST_CASE("images that leave nothing, or maps that do not fit, are refused") {
  const auto small = refused("ssd300-vgg16", {3, 224, 224}, 21);
  CHECK(small.place == "--height, --width");
  CHECK(small.rule ==
        "224x224 with 3 channels is too small for ssd300-vgg16: at conv11_2, Conv2d meets a map of 2x2, smaller than "
        "its window");
  CHECK(small.remedy == "give a larger image");
  CHECK(refused("densenet121", {3, 15, 15}, 1000).rule.find("transition3") != std::string::npos);
  const auto uneven = refused("unet-vgg16", {3, 300, 300}, 21);
  CHECK(uneven.place == "--height");
  CHECK(uneven.rule == "must be a multiple of 16 for unet-vgg16, which joins maps of several scales, but is 300");
  CHECK(uneven.remedy == "give 304");
  CHECK(refused("fcn8s-vgg16", {3, 224, 208}, 21).place == "--width");
  CHECK(refused("resnet18", {3, 0, 224}, 1000).place == "--height");
}

TEST_CASE("flags that say nothing about a network are refused") {
  CHECK(refused("resnet18", {3, 224, 224}, 1000, Head::gap).place == "--head");
  CHECK(refused("csrnet", {3, 224, 224}, 1000).rule == "csrnet predicts one density, not 1000 classes");
  const auto unknown = build_network({.name = "mine", .architecture = "lenet"}, {3, 32, 32}, 10, Head::adaptive);
  REQUIRE(!unknown.has_value());
  CHECK(unknown.error().rule == "there is no architecture lenet");
}

TEST_CASE("maps that meet must be equal") {
  const auto problem = [](const Kind& kind, const Kind& half) {
    Builder builder("own", {6, 8, 9}, 10);
    const NodeId other = builder.append("half", half);
    builder.add("x", kind, {0, other});
    auto network = std::move(builder).finish(Objective::mse);
    return network ? std::string() : network.error().rule;
  };
  CHECK(problem(Concatenate{}, MaxPool{}) == "8x9 with 6 channels at x, Concatenate meets maps of 6x8x9 and 6x4x4");
  CHECK(problem(Add{}, Convolution{6, 7}).find("Add meets maps of 6x8x9 and 7x8x9") != std::string::npos);
  CHECK(problem(Concatenate{}, Convolution{6, 7}).empty());
  CHECK(problem(Multiply{}, AdaptiveAveragePool{1, 1}).empty());  // a factor for each channel
  CHECK(!problem(Multiply{}, AdaptiveAveragePool{2, 2}).empty());
}

TEST_CASE("what is said of batch norm is what the network holds") {
  for (const Architecture& architecture : architectures()) {
    const Network network = built(architecture.name, architecture.side, architecture.side);
    const bool holds =
        std::ranges::any_of(network.nodes, [](const Node& node) { return is_any<BatchNorm>(node.kind); });
    INFO(architecture.name);
    CHECK(architecture.batch_norm == holds);
  }
}

TEST_CASE("the builder refuses nodes that do not fit their inputs") {
  const auto problem = [](const Kind& kind) {
    Builder builder("own", {6, 8, 8}, 10);
    builder.append("x", kind);
    auto network = std::move(builder).finish(Objective::mse);
    return network ? std::string() : network.error().rule;
  };
  CHECK(problem(Convolution{6, 12}).empty());
  CHECK(problem(Convolution{5, 12}).find("takes 5 channels, but its input has 6") != std::string::npos);
  Convolution grouped{6, 12};
  grouped.groups = 4;
  CHECK(problem(grouped).find("in 4 groups") != std::string::npos);
  CHECK(problem(BatchNorm{7}).find("takes 7 channels") != std::string::npos);
  CHECK(problem(Flatten{4}).find("into 4 values") != std::string::npos);
  CHECK(problem(MaxPool{Window{{9, 9}, {1, 1}}}).find("smaller than its window") != std::string::npos);
}

}  // namespace
}  // namespace vggplan::graph
