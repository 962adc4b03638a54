// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "support.hpp"
#include "support/vgg.hpp"
#include "vggplan/catalog/catalog.hpp"

namespace vggplan::importers {
namespace {

std::string graph_of(const std::string& nodes, const std::string& more = "") {
  return R"({"name": "mine", "nodes": [)" + nodes + "]" + more + "}";
}

/// VGG16 as docs/networks.md would write it, by hand and not by the builder.
std::string vgg16() {
  std::string nodes;
  const auto add = [&](const std::string& node) { nodes += (nodes.empty() ? "{" : ",{") + node + "}"; };
  int block = 1;
  for (const std::vector<int>& widths :
       {std::vector{64, 64}, {128, 128}, {256, 256, 256}, {512, 512, 512}, {512, 512, 512}}) {
    int position = 1;
    for (const int width : widths) {
      add(fmt::format(R"("name": "conv{}_{}", "op": "conv2d", "out_channels": {}, "kernel_size": 3, "padding": 1)",
                      block, position, width));
      add(fmt::format(R"("name": "relu{}_{}", "op": "relu")", block, position));
      ++position;
    }
    add(fmt::format(R"("name": "pool{}", "op": "max_pool2d", "kernel_size": 2)", block));
    ++block;
  }
  add(R"("name": "avgpool", "op": "adaptive_avg_pool2d", "output_size": [7, 7])");
  add(R"("name": "flatten", "op": "flatten", "held_until": "fc3")");
  for (const int layer : {1, 2}) {
    add(fmt::format(R"("name": "fc{}", "op": "linear", "out_features": 4096)", layer));
    add(fmt::format(R"("name": "relu_fc{}", "op": "relu")", layer));
    add(fmt::format(R"("name": "dropout{}", "op": "dropout")", layer));
  }
  add(R"("name": "fc3", "op": "linear", "out_features": 1000)");
  return R"({"name": "vgg16", "nodes": [)" + nodes + "]}";
}

TEST_CASE("VGG16 written as a graph is the built-in VGG16") {
  for (const graph::Shape& image : {graph::Shape{3, 224, 224}, graph::Shape{3, 4024, 3036}, graph::Shape{1, 64, 96}}) {
    const graph::Network built = support::network(support::vgg(16), image);
    CHECK(imported(vgg16(), image).network == built);
  }
  CHECK(graph::count(imported(vgg16(), {3, 224, 224}).network).parameters == 138'357'544);  // torchvision
}

TEST_CASE("skips, frozen nodes, variables and losses are read") {
  const graph::Network net = imported(graph_of(R"(
    {"name": "a", "op": "conv2d", "out_channels": 4, "kernel_size": [3, 5], "padding": [1, 2], "bias": false,
     "trained": false, "held_until": "up"},
    {"name": "b", "op": "max_pool2d", "kernel_size": 2},
    {"name": "up", "op": "resize", "scale_factor": 2, "mode": "bilinear"},
    {"name": "c", "op": "concatenate", "inputs": ["up", "a"]},
    {"name": "d", "op": "conv2d", "inputs": ["c"], "out_channels": 1, "kernel_size": 1})",
                                               R"(, "loss": "mse", "outputs": ["d"])"))
                                 .network;
  REQUIRE(net.nodes.size() == 7);
  CHECK(!net.nodes[1].trained);
  CHECK(net.nodes[1].held == std::optional<graph::NodeId>(3));
  CHECK(net.nodes[4].output == graph::Shape{8, 64, 64});
  CHECK(graph::parameter_tensors(net.nodes[1]) == std::vector<graph::ParameterTensor>{{3 * 4 * 15, 4}});
  CHECK(std::get<graph::Loss>(net.nodes.back().kind).objective == graph::Objective::mse);
}

TEST_CASE("every operator of the schema is read") {
  const auto text = catalog::Catalog::built_in().text("schema", "network.schema").value();
  const auto forms = nlohmann::json::parse(text).at("properties").at("nodes").at("items").at("oneOf");
  std::size_t operators = 0;
  for (const auto& form : forms) {
    for (const std::string op : form.at("properties").at("op").at("enum")) {
      INFO(op);
      ++operators;
      std::string node = R"({"name": "it", "inputs": ["one")";
      node += op == "add" || op == "multiply" || op == "concatenate" ? R"(, "two"], "op": ")" : R"(], "op": ")";
      node += op + '"' + (op == "resize" ? R"(, "size": 8)" : "");
      for (const std::string key : form.at("required")) {
        node += key == "name" || key == "op" ? "" : fmt::format(R"(, "{}": 2)", key);
      }
      const std::string conv = R"("op": "conv2d", "inputs": ["image"], "out_channels": 4, "kernel_size": 1})";
      const std::string both = R"({"name": "one", )" + conv + R"(, {"name": "two", )" + conv;
      const auto network =
          imported(graph_of(both + ", " + node + "}", R"(, "outputs": ["it", "two"], "loss": "mse")"), {3, 8, 8})
              .network;
      CHECK(std::ranges::count(network.nodes, "it", &graph::Node::name) == 1);
    }
  }
  CHECK(operators > 20);
}

TEST_CASE("what is wrong in a graph is told with its place") {
  const auto check = [](const std::string& nodes, const std::string& place, const std::string& rule) {
    const base::Diagnostic error = error_of(graph_of(nodes));
    CHECK(error.fault == base::Fault::question);
    CHECK(error.place == place);
    CHECK(error.rule.find(rule) != std::string::npos);
  };
  const std::string conv = R"({"name": "a", "op": "conv2d", "out_channels": 4, "kernel_size": 3})";
  check("", "net:/nodes", "must not be empty");
  check(R"({"name": "a", "op": "conv3d"})", "net:/nodes/0/op", "unknown value 'conv3d'");
  check(R"({"name": "a", "op": "relu", "size": 3})", "net:/nodes/0/size", "unknown key");
  check(R"({"name": "a", "op": "conv2d", "out_channels": 4})", "net:/nodes/0/kernel_size", "is missing");
  check(R"({"name": "a", "op": "linear", "out_features": 0})", "net:/nodes/0/out_features", "must be from 1");
  check(conv + "," + conv, "net:/nodes/1/name", "is taken");
  check(R"({"name": "image", "op": "relu"})", "net:/nodes/0/name", "is taken");
  check(R"({"name": "loss", "op": "sigmoid"})", "net:/nodes/0", "is taken");
  check(R"({"name": "a", "op": "sigmoid", "inputs": ["b"]})", "net:/nodes/0/inputs", "'b' is no earlier node");
  // A cycle needs a node that reads a later one.
  check(R"({"name": "a", "op": "add", "inputs": ["image", "b"]}, {"name": "b", "op": "sigmoid"})",
        "net:/nodes/0/inputs", "'b' is no earlier node");
  check(R"({"name": "a", "op": "add", "inputs": ["image"]})", "net:/nodes/0", "takes two inputs, not 1");
  check(conv + R"(, {"name": "b", "op": "add", "inputs": ["a", "image"]})", "net:/nodes/1", "its inputs differ");
  check(conv + R"(, {"name": "b", "op": "concatenate", "inputs": ["a", "image"]})", "net:/nodes/1", "differ in more");
  check(R"({"name": "a", "op": "max_pool2d", "kernel_size": 65})", "--height, --width",
        "at a, MaxPool2d meets a map of 64x64, smaller than its window");
  check(R"({"name": "a", "op": "max_pool2d", "kernel_size": 2, "padding": 2})", "net:/nodes/0", "half of kernel_size");
  check(R"({"name": "a", "op": "conv2d", "out_channels": 4, "kernel_size": 3, "groups": 2})", "net:/nodes/0",
        "groups of 2");
  check(R"({"name": "a", "op": "resize", "size": 4, "scale_factor": 2})", "net:/nodes/0/size", "give one of");
  check(R"({"name": "a", "op": "resize", "scale_factor": 1000000})", "net:/nodes/0", "size must be");
  check(R"({"name": "a", "op": "relu", "trained": 1})", "net:/nodes/0/trained", "must be true or false");
  check(conv + R"(, {"name": "b", "op": "relu"}, {"name": "c", "op": "add", "inputs": ["a", "b"]})", "net:/nodes/2",
        "reads 'a' after 'b' has changed it in place");
  check(conv + R"(, {"name": "b", "op": "sigmoid", "inputs": ["image"]})", "net", "nothing reads 'a'");
}

TEST_CASE("networks too large to count are refused, however they grow") {
  // Each concatenation doubles the channels.
  std::string doubling = R"({"name": "n0", "op": "sigmoid"})";
  for (int i = 1; i < 70; ++i) {
    doubling += fmt::format(R"(, {{"name": "n{}", "op": "concatenate", "inputs": ["n{}", "n{}"]}})", i, i - 1, i - 1);
  }
  CHECK(error_of(graph_of(doubling)).rule.find("too large") != std::string::npos);
  const std::string wide = R"("op": "conv2d", "out_channels": 1048576, "kernel_size": 1048576, "padding": 1048576)";
  CHECK(error_of(graph_of(R"({"name": "a", )" + wide + R"(}, {"name": "b", )" + wide + "}")).rule.find("too large") !=
        std::string::npos);
  const std::string up = R"("op": "conv_transpose2d", "out_channels": 1, "kernel_size": 2, "stride": 1048576)";
  CHECK(error_of(graph_of(R"({"name": "a", )" + up + "}"), {1, 2, 1}).rule.find("sides may have up to") !=
        std::string::npos);
  std::string many = R"({"name": "n0", "op": "sigmoid"})";
  for (int i = 1; i < 10'002; ++i) {
    many += fmt::format(R"(, {{"name": "n{}", "op": "sigmoid"}})", i);
  }
  CHECK(error_of(graph_of(many), {1, 1, 1}).rule == "must hold from 1 to 10000 entries, not 10002");
}

TEST_CASE("a graph is told from a member of the VGG family") {
  CHECK(is_network(vgg16()));
  CHECK(is_network(fixture("unet.onnx")));
  CHECK(!is_network(R"({"name": "a", "features": [64], "batch_norm": false})"));
  CHECK(!is_network("{"));  // the reader of models tells what is wrong
}

}  // namespace
}  // namespace vggplan::importers
