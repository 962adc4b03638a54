// SPDX-License-Identifier: MIT
// Files that PyTorch wrote (tests/data/networks/make.py), against PyTorch's own counts.
#include <nlohmann/json.hpp>

#include "support.hpp"

namespace vggplan::importers {
namespace {

std::vector<std::string> kinds(const graph::Network& network) {
  std::vector<std::string> names;
  for (const graph::Node& node : network.nodes) {
    names.emplace_back(graph::kind_name(node.kind));
  }
  return names;
}

void check_counts(const std::string& name, const std::string& file, std::int64_t side = 64) {
  INFO(file);
  const auto expected = nlohmann::json::parse(fixture("counts.json")).at(name);
  const graph::LayerCounts counts = graph::count(imported(fixture(file), {3, side, side}).network);
  CHECK(counts.parameters == expected.at("parameters"));
  CHECK(counts.macs == expected.at("macs"));
}

TEST_CASE("networks read from exports have PyTorch's parameters and multiply-accumulates") {
  for (const std::string name : {"vgg11_narrow", "vgg11_narrow_bn", "residual", "unet", "mobile"}) {
    check_counts(name, name + ".onnx");
    check_counts(name, name + ".pt2");
  }
  check_counts("ssd300", "ssd300.onnx", 300);
  check_counts("ssd300", "ssd300.pt2", 300);
  check_counts("sizes", "sizes.onnx");
  check_counts("view", "view.pt2", 32);
}

TEST_CASE("a detector's permuted maps become the rows of the one that ships, trained by its loss") {
  const auto ships = graph::build_network({.name = "ssd300-vgg16", .architecture = "ssd300-vgg16"}, {3, 300, 300}, 21,
                                          graph::Head::adaptive);
  REQUIRE(ships.has_value());
  for (const std::string file : {"ssd300.pt2", "ssd300.onnx"}) {
    INFO(file);
    const graph::Network read = imported(fixture(file), {3, 300, 300}).network;
    REQUIRE(kinds(read) == kinds(*ships));
    for (graph::NodeId id = 0; id < read.nodes.size(); ++id) {
      CHECK(read.nodes[id].output == ships->nodes[id].output);
      CHECK(read.nodes[id].inputs == ships->nodes[id].inputs);
    }
    CHECK(read.nodes.back().kind == ships->nodes.back().kind);
  }
}

// torchvision says 5,288,548 parameters and 0.39 GFLOPS. Of 16 blocks nine have a skip, and the first of them is never
// left out: stochastic depth grows from 0.
TEST_CASE("EfficientNet's stochastic depth is a dropout of blocks, and its dropout in place one of values") {
  const Imported read = imported(fixture("efficientnet_b0.pt2"), {3, 224, 224});
  CHECK(read.warnings.empty());
  const graph::LayerCounts counts = graph::count(read.network);
  CHECK(counts.parameters == 5'288'548);
  CHECK(counts.macs / 10'000'000 == 38);
  const std::vector<std::string> names = kinds(read.network);
  CHECK(std::ranges::count(names, "Dropout2d") == 9);
  CHECK(std::ranges::count(names, "Dropout") == 1);
  CHECK(std::ranges::count(names, "Add") == 9);
  CHECK(std::ranges::count(names, "Multiply") == 16);
}

TEST_CASE("view by the batch, padding by nothing, log_softmax and sizes of the image are read as they are meant") {
  CHECK(kinds(imported(fixture("view.pt2"), {3, 32, 32}).network) ==
        std::vector<std::string>{"Image", "Conv2d", "LeakyReLU", "MaxPool2d", "Flatten", "Linear", "CrossEntropyLoss"});
  const graph::Network sizes = imported(fixture("sizes.onnx")).network;
  CHECK(kinds(sizes) == std::vector<std::string>{"Image", "Conv2d", "LeakyReLU", "Conv2d", "Resize", "MaxPool2d",
                                                 "Flatten", "Linear", "CrossEntropyLoss"});
  CHECK(sizes.nodes[4].output == graph::Shape{3, 64, 64});
  const base::Diagnostic error =
      error_of(fixture("sizes.onnx"), {3, 128, 96});  // the Linear layer is fixed, no size is
  CHECK(error.rule == "takes 3072 features, but gets 9216");
}

TEST_CASE("files do not tell how long the variables of a U-Net hold a map, and say so") {
  for (const std::string file : {"unet.pt2", "unet.onnx"}) {
    CHECK(imported(fixture(file)).warnings.back().find("held_until") != std::string::npos);
  }
}

TEST_CASE("both formats tell the same layers of one network") {
  for (const std::string name : {"vgg11_narrow_bn", "residual", "unet", "mobile"}) {
    INFO(name);
    CHECK(kinds(imported(fixture(name + ".onnx")).network) == kinds(imported(fixture(name + ".pt2")).network));
  }
}

TEST_CASE("torch.export tells names, frozen parameters and what works in place") {
  const graph::Network residual = imported(fixture("residual.pt2")).network;
  CHECK(!node_named(residual, "conv1").trained);
  CHECK(node_named(residual, "bn1").trained);
  CHECK(std::get<graph::Activation>(node_named(residual, "relu").kind).in_place);
  const graph::Node& sum = residual.nodes[12];
  CHECK(std::get<graph::Add>(sum.kind).in_place);
  CHECK(residual.nodes[13].inputs == std::vector<graph::NodeId>{12});
  CHECK(imported(fixture("residual.pt2")).warnings.empty());
  CHECK(!std::get<graph::Activation>(node_named(imported(fixture("unet.pt2")).network, "relu").kind).in_place);
}

TEST_CASE("an archive follows the size of the image, and says when it was exported for inference") {
  CHECK(imported(fixture("vgg11_narrow.pt2"), {3, 4024, 3036}).network.nodes[1].output == graph::Shape{4, 4024, 3036});
  const Imported eval = imported(fixture("vgg11_narrow_bn_eval.pt2"));
  REQUIRE(eval.warnings.size() == 1);
  CHECK(eval.warnings.front().find("exported for inference") != std::string::npos);
  CHECK(eval.network.nodes == imported(fixture("vgg11_narrow_bn.pt2")).network.nodes);
}

TEST_CASE("modules of an ONNX file come in the order in which the module ran them") {
  const graph::Network residual = imported(fixture("residual.onnx")).network;
  CHECK(kinds(residual) == std::vector<std::string>{"Image", "Conv2d", "BatchNorm2d", "ReLU", "MaxPool2d", "Conv2d",
                                                    "BatchNorm2d", "ReLU", "Conv2d", "BatchNorm2d", "Conv2d",
                                                    "BatchNorm2d", "Add", "ReLU", "AdaptiveAvgPool2d", "Flatten",
                                                    "Linear", "CrossEntropyLoss"});
  CHECK(residual.nodes[1].name == "conv1");
  CHECK(node_named(residual, "downsample.0").inputs == std::vector<graph::NodeId>{4});
  CHECK(residual.features == 14);  // from the pooling on it is the head
  CHECK(residual.classes == 10);
}

TEST_CASE("SiLU, ReLU6, squeeze and excitation and the mean are found in what ONNX makes of them") {
  const std::vector<std::string> expected{"Image",     "Conv2d",      "Hardswish",
                                          "Conv2d",    "ReLU6",       "AdaptiveAvgPool2d",
                                          "Conv2d",    "SiLU",        "Conv2d",
                                          "Sigmoid",   "Multiply",    "Conv2d",
                                          "AvgPool2d", "Hardsigmoid", "AdaptiveAvgPool2d",
                                          "Dropout",   "Linear",      "CrossEntropyLoss"};
  CHECK(kinds(imported(fixture("mobile.onnx")).network) == expected);
}

TEST_CASE("a U-Net ends in a map, is trained by pixel and follows the size of the image") {
  const graph::Network unet = imported(fixture("unet.onnx"), {3, 96, 32}).network;
  CHECK(unet.nodes.back().input == graph::Shape{5, 96, 32});
  CHECK(std::get<graph::Loss>(unet.nodes.back().kind).objective == graph::Objective::pixel_cross_entropy);
  CHECK(std::get<graph::Resize>(node_named(unet, "Resize_1").kind).bilinear);
  CHECK(unet.features == unet.nodes.size() - 1);
}

TEST_CASE("a file that was exported for inference says what it has lost") {
  const Imported eval = imported(fixture("vgg11_narrow_bn_eval.onnx"));
  CHECK(eval.warnings.front().find("exported for inference") != std::string::npos);
  const Imported train = imported(fixture("vgg11_narrow_bn.onnx"));
  REQUIRE(train.warnings.size() == 1);
  CHECK(train.warnings.front().find("in place") != std::string::npos);
}

TEST_CASE("a size that the file fixes and the image contradicts is an error") {
  const base::Diagnostic error = error_of(fixture("vgg11_narrow.onnx"), {3, 128, 128});
  CHECK(error.rule.find("takes 128 features, but gets 512") != std::string::npos);
  CHECK(error_of(fixture("residual.onnx"), {1, 64, 64}).rule == "takes 3 channels, but gets 1");
}

}  // namespace
}  // namespace vggplan::importers
