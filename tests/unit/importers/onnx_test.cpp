// SPDX-License-Identifier: MIT
// ONNX files written by hand: what is refused, and how it is told.
#include <functional>
#include <initializer_list>
#include <protozero/pbf_writer.hpp>

#include "support.hpp"

namespace vggplan::importers {
namespace {

using protozero::pbf_writer;
using Write = std::function<void(pbf_writer&)>;

std::string message(const Write& write) {
  std::string bytes;
  pbf_writer writer(bytes);
  write(writer);
  return bytes;
}

std::string ints(const std::string& name, std::initializer_list<std::int64_t> values) {
  return message([&](pbf_writer& attribute) {
    attribute.add_string(1, name);
    attribute.add_packed_int64(8, values.begin(), values.end());
  });
}

std::string node(const std::string& op, std::initializer_list<std::string> inputs, const std::string& output,
                 std::initializer_list<std::string> attributes = {}) {
  return message([&](pbf_writer& writer) {
    for (const std::string& input : inputs) {
      writer.add_string(1, input);
    }
    writer.add_string(2, output);
    writer.add_string(3, "my_" + output);
    writer.add_string(4, op);
    for (const std::string& attribute : attributes) {
      writer.add_message(5, attribute);
    }
  });
}

/// TypeProto of a tensor; sizes that are negative have a name.
std::string type_of(const std::vector<std::int64_t>& sizes) {
  const std::string shape = message([&](pbf_writer& dims) {
    for (const std::int64_t size : sizes) {
      dims.add_message(
          1, message([&](pbf_writer& dim) { size < 0 ? dim.add_string(2, "open") : dim.add_int64(1, size); }));
    }
  });
  return message([&](pbf_writer& type) {
    type.add_message(1, message([&](pbf_writer& tensor) { tensor.add_message(2, shape); }));
  });
}

struct Named {
  std::string name{};
  std::vector<std::int64_t> dims{};
};

std::string onnx(std::initializer_list<std::string> nodes, const std::vector<Named>& weights = {},
                 const std::string& output = "y", const std::vector<std::int64_t>& image = {}) {
  const std::string graph = message([&](pbf_writer& writer) {
    for (const std::string& one : nodes) {
      writer.add_message(1, one);
    }
    for (const Named& weight : weights) {
      writer.add_message(5, message([&](pbf_writer& tensor) {
                           tensor.add_packed_int64(1, weight.dims.begin(), weight.dims.end());
                           tensor.add_int32(2, 1);
                           tensor.add_string(8, weight.name);
                         }));
    }
    writer.add_message(11, message([&](pbf_writer& value) {
                         value.add_string(1, "x");
                         value.add_message(2, type_of(image));
                       }));
    writer.add_message(12, message([&](pbf_writer& value) { value.add_string(1, output); }));
  });
  return message([&](pbf_writer& model) {
    model.add_int64(1, 8);
    model.add_message(7, graph);
  });
}

constexpr std::int64_t kHuge = std::int64_t{1} << 62;

TEST_CASE("a convolution of ONNX takes its numbers from attributes and the shape of its weight") {
  const graph::Network net =
      imported(
          onnx({node("Conv", {"x", "a.weight", "a.bias"}, "y", {ints("strides", {2, 1}), ints("pads", {1, 0, 1, 0})})},
               {{"a.weight", {8, 3, 3, 1}}, {"a.bias", {8}}}))
          .network;
  graph::Convolution conv{3, 8};
  conv.kernel = {3, 1};
  conv.stride = {2, 1};
  conv.padding = {1, 0};
  CHECK(net.nodes[1].kind == graph::Kind(conv));
  CHECK(net.nodes[1].name == "a");
  CHECK(net.nodes[1].output == graph::Shape{8, 32, 64});
}

TEST_CASE("an unknown operator is told with its node and what is supported") {
  const base::Diagnostic error = error_of(onnx({node("Einsum", {"x"}, "y")}));
  CHECK(error.fault == base::Fault::question);
  CHECK(error.place == "net: node 'my_y', operator 'Einsum'");
  CHECK(error.rule == "is not supported");
  CHECK(error.remedy.starts_with("supported are Add, AveragePool,"));
}

TEST_CASE("graphs of ONNX that make no sense are refused") {
  const auto rule = [](const std::string& bytes) { return error_of(bytes).rule; };
  CHECK(rule(onnx({node("Relu", {"later"}, "y"), node("Relu", {"y"}, "later")})) ==
        "reads 'later', which nothing before it makes");
  CHECK(rule(onnx({node("Relu", {"x"}, "y"), node("Relu", {"x"}, "y")})) == "makes 'y', which is there already");
  CHECK(rule(onnx({node("Relu", {"x"}, "y")}, {}, "z")) == "no node makes its output 'z'");
  CHECK(rule(onnx({node("Relu", {"x"}, "y"), node("Sigmoid", {"x"}, "z")})).starts_with("nothing reads"));
  CHECK(rule(onnx({node("Relu", {}, "y")})) == "has no input 1");
  CHECK(rule(onnx({node("Conv", {"x"}, "y")})) == "its input 2 must be a weight that the file holds");
  CHECK(rule(onnx({node("Conv", {"x", "w"}, "y")}, {{"w", {8, 3, 3}}})) ==
        "a convolution that is not over two dimensions is not supported");
  CHECK(rule(onnx({node("Conv", {"x", "w"}, "y", {ints("pads", {1, 1, 2, 1})})}, {{"w", {8, 3, 3, 3}}})) ==
        "padding that differs between two sides is not supported");
  CHECK(rule(onnx({node("Conv", {"x", "w"}, "y", {ints("strides", {0, 1})})}, {{"w", {8, 3, 3, 3}}}))
            .starts_with("stride must be from 1"));
  CHECK(rule(onnx({node("MaxPool", {"x"}, "y")})).starts_with("kernel_size must be from 1"));
}

std::string number(const std::string& output, std::initializer_list<std::int64_t> values) {
  return node("Constant", {}, output, {ints("value_ints", values)});
}

TEST_CASE("sizes that ONNX reckons with follow the image; those that it fixes must be the image's") {
  const auto resized = [](const std::string& factor, const std::vector<std::int64_t>& image) {
    return onnx({node("Shape", {"x"}, "all"), number("two", {2}), number("four", {4}), number("zero", {0}),
                 node("Slice", {"all", "two", "four"}, "sides"), node("Slice", {"all", "zero", "two"}, "others"),
                 number("half", {1}), number("double", {2, 3}), node("Mul", {"sides", factor}, "larger"),
                 node("Add", {"larger", "half"}, "larger_by_one"), node("Concat", {"others", "larger_by_one"}, "sizes"),
                 node("Resize", {"x", "", "", "sizes"}, "y")},
                {}, "y", image);
  };
  for (const auto& image : {std::vector<std::int64_t>{2, 3, -1, -1}, {}, {2, 3, 64, 96}}) {
    CHECK(imported(resized("half", image), {3, 64, 96}).network.nodes[1].output == graph::Shape{3, 65, 97});
    CHECK(imported(resized("double", image), {3, 64, 96}).network.nodes[1].output == graph::Shape{3, 129, 289});
  }
  CHECK(error_of(resized("half", {2, 3, 32, 32}), {3, 64, 96}).rule ==
        "the file fixes the size 65x97, and was exported with images of 32x32");
  const auto rule = [](std::initializer_list<std::string> nodes) { return error_of(onnx(nodes)).rule; };
  const std::string shape = node("Shape", {"x"}, "all");
  const auto reshaped = [&](std::int64_t index) {
    return onnx({shape, number("at", {index}), node("Gather", {"all", "at"}, "rows"), number("rest", {-1}),
                 node("Concat", {"rows", "rest"}, "sizes"), node("Reshape", {"x", "sizes"}, "y")});
  };
  CHECK(imported(reshaped(0)).network.nodes[1].output == graph::Shape{3 * 64 * 64, 1, 1});
  CHECK(error_of(reshaped(7)).rule == "picks what is not there");
  CHECK(rule({number("at", {0}), node("Gather", {"x", "at"}, "y")}).find("computed from the image") !=
        std::string::npos);
  CHECK(rule({number("at", {0}), node("Slice", {"x", "at", "at"}, "y")}) ==
        "a slice of anything but a list of sizes is not supported");
}

TEST_CASE("a transposed map becomes rows, or is refused") {
  const std::string turned = node("Transpose", {"x"}, "t", {ints("perm", {0, 2, 3, 1})});
  const auto rows = [&](std::initializer_list<std::int64_t> sizes) {
    return onnx({turned, number("sizes", sizes), node("Reshape", {"t", "sizes"}, "y")});
  };
  CHECK(imported(rows({2, -1, 3})).network.nodes[1].output == graph::Shape{64 * 64, 3, 1});
  CHECK(error_of(rows({2, 9, 3})).rule.find("(batch, -1, values)") != std::string::npos);
  CHECK(error_of(rows({2, -1})).rule.find("(batch, -1, values)") != std::string::npos);
  CHECK(error_of(onnx({turned, node("Relu", {"t"}, "y")})).rule.find("permuted map") != std::string::npos);
  CHECK(error_of(onnx({node("Transpose", {"x"}, "y", {ints("perm", {0, 3, 1, 2})})})).rule ==
        "a transpose but of (0, 2, 3, 1) is not supported");
}

TEST_CASE("shapes of weights that no memory holds are refused") {
  for (const std::vector<std::int64_t>& dims : {std::vector<std::int64_t>{kHuge, 3, 3, 3},
                                                {8, kHuge, 3, 3},
                                                {8, 3, kHuge, kHuge},
                                                {-8, 3, 3, 3},
                                                {8, 0, 3, 3},
                                                {0, 3, 3, 3},
                                                {8, -3, 3, 3}}) {
    CHECK(error_of(onnx({node("Conv", {"x", "w"}, "y")}, {{"w", dims}})).fault == base::Fault::question);
    CHECK(error_of(onnx({node("ConvTranspose", {"x", "w"}, "y")}, {{"w", dims}})).fault == base::Fault::question);
  }
  CHECK(error_of(onnx({node("Gemm", {"x", "w"}, "y")}, {{"w", {3, kHuge}}})).rule.starts_with("out_features"));
}

TEST_CASE("what is no ONNX file cannot be decoded, and says so") {
  for (const std::string& bytes : {std::string(), std::string("hello"), std::string(100, '\xff'), std::string(9, '\0'),
                                   std::string("PK\x05\x06")}) {
    CHECK(error_of(bytes).fault == base::Fault::file);
  }
  const std::string whole = fixture("residual.onnx");
  for (std::size_t length = 0; length < whole.size() - 10; length += 7) {
    CHECK(!read(whole.substr(0, length)).has_value());
  }
}

}  // namespace
}  // namespace vggplan::importers
