// SPDX-License-Identifier: MIT
// Archives of torch.export that are damaged or made to do harm.
#include <zlib.h>

#include <nlohmann/json.hpp>

#include "support.hpp"

namespace vggplan::importers {
namespace {

using nlohmann::json;

std::string little(std::size_t value, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i) {
    out += static_cast<char>(value & 0xffU);
    value >>= 8U;
  }
  return out;
}

struct Entry {
  std::string name{};
  std::string text{};
  std::string packed{};  ///< deflated by the test where it is not empty
};

/// A zip by hand: local headers, central directory, end.
std::string zip(const std::vector<Entry>& entries) {
  std::string files;
  std::string directory;
  for (const Entry& entry : entries) {
    const std::string& data = entry.packed.empty() ? entry.text : entry.packed;
    const std::size_t crc =
        crc32(0, reinterpret_cast<const Bytef*>(entry.text.data()), static_cast<uInt>(entry.text.size()));
    const std::string same = little(0, 2) + little(entry.packed.empty() ? 0 : 8, 2) + little(0, 4) + little(crc, 4) +
                             little(data.size(), 4) + little(entry.text.size(), 4) + little(entry.name.size(), 2) +
                             little(0, 2);
    directory +=
        "PK\x01\x02" + little(20, 2) + little(20, 2) + same + little(0, 10) + little(files.size(), 4) + entry.name;
    files += "PK\x03\x04" + little(20, 2) + same + entry.name + data;
  }
  return files + directory + "PK\x05\x06" + little(0, 4) + little(entries.size(), 2) + little(entries.size(), 2) +
         little(directory.size(), 4) + little(files.size(), 4) + little(0, 2);
}

std::string deflated(const std::string& text) {
  std::string out(text.size() / 2 + 1000, '\0');
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 9, Z_DEFAULT_STRATEGY);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

json aten_tensor(const std::string& name) { return {{"as_tensor", {{"name", name}}}}; }

json aten_node(const std::string& target, const json& inputs, const std::string& output) {
  json list = json::array();
  for (const auto& [name, argument] : inputs.items()) {
    list.push_back({{"name", name}, {"arg", argument}});
  }
  return {{"target", "torch.ops." + target},
          {"inputs", list},
          {"outputs", json::array({aten_tensor(output)})},
          {"metadata", json::object()}};
}

std::string program(const json& nodes, const std::string& output = "y", const json& sizes = {8, 3, 3, 3},
                    const std::string& entry = "net/models/model.json", const json& image = json::array()) {
  json dims = json::array();
  for (const json& size : sizes) {
    dims.push_back({{"as_int", size}});
  }
  const json signature{{"input_specs",
                        {{{"parameter", {{"arg", {{"name", "w"}}}, {"parameter_name", "a.weight"}}}},
                         {{"user_input", {{"arg", aten_tensor("x")}}}}}},
                       {"output_specs", json::array({json{{"user_output", {{"arg", aten_tensor(output)}}}}})}};
  const json graph{{"nodes", nodes}, {"tensor_values", {{"w", {{"sizes", dims}}}, {"x", {{"sizes", image}}}}}};
  return zip({{entry, json{{"graph_module", {{"graph", graph}, {"signature", signature}}}}.dump()}});
}

TEST_CASE("what PyTorch's schema has is read; what is not of aten, or unknown, is told") {
  const json conv = aten_node("aten.conv2d.default", {{"input", aten_tensor("x")}, {"weight", aten_tensor("w")}}, "y");
  const graph::Network net = imported(program(json::array({conv}))).network;
  CHECK(net.nodes[1].name == "a");
  CHECK(net.nodes[1].output == graph::Shape{8, 62, 62});
  const base::Diagnostic error =
      error_of(program(json::array({aten_node("aten.roll.default", {{"self", aten_tensor("x")}}, "y")})));
  CHECK(error.place == "net: node 0, operator 'torch.ops.aten.roll.default'");
  CHECK(error.rule == "is not supported");
  CHECK(error.remedy.starts_with("supported of torch.ops.aten are adaptive_avg_pool2d,"));
}

TEST_CASE("a size that the file has a name for follows the image; one that it fixes must be the image's") {
  json size = aten_node("aten.sym_size.int", {{"self", aten_tensor("x")}, {"dim", {{"as_int", 3}}}}, "");
  size["outputs"] = json::array({json{{"as_sym_int", {{"as_name", "s"}}}}});
  const auto resized = [&](const json& sizes) {
    return json::array(
        {size, aten_node("aten.upsample_nearest2d.vec", {{"input", aten_tensor("x")}, {"output_size", sizes}}, "y")});
  };
  const json named{{"as_sym_ints", {{{"as_int", 7}}, {{"as_name", "s"}}}}};
  CHECK(imported(program(resized(named)), {3, 64, 96}).network.nodes[1].output == graph::Shape{3, 7, 96});
  const json unknown{{"as_sym_ints", {{{"as_int", 7}}, {{"as_name", "t"}}}}};
  CHECK(error_of(program(resized(unknown))).rule == "its output_size must be one or two numbers");
  const json fixed = resized({{"as_ints", {64, 64}}});
  const std::string exported = program(fixed, "y", {8, 3, 3, 3}, "net/models/model.json",
                                       {{{"as_int", 2}}, {{"as_int", 3}}, {{"as_int", 64}}, {{"as_int", 64}}});
  CHECK(imported(exported).network.nodes[1].output == graph::Shape{3, 64, 64});
  CHECK(error_of(exported, {3, 128, 96}).rule ==
        "the file fixes the size 64x64, and was exported with images of 64x64");
  size["outputs"] = json::array();
  CHECK(error_of(program(resized(named))).rule == "its output_size must be one or two numbers");
}

TEST_CASE("the graph is found where PyTorch before 2.9 wrote it") {
  const json conv = aten_node("aten.conv2d.default", {{"input", aten_tensor("x")}, {"weight", aten_tensor("w")}}, "y");
  const std::string now = program(json::array({conv}));
  const std::string before = program(json::array({conv}), "y", {8, 3, 3, 3}, "serialized_exported_program.json");
  CHECK(imported(before).network.nodes == imported(now).network.nodes);
}

TEST_CASE("what is drawn, permuted or a logarithm of scores is taken where it is understood, and nowhere else") {
  const auto ints = [](const json& numbers) { return json{{"as_ints", numbers}}; };
  const json permuted =
      aten_node("aten.permute.default", {{"self", aten_tensor("x")}, {"dims", ints({0, 2, 3, 1})}}, "p");
  const auto rule = [](const json& nodes) { return error_of(program(nodes)).rule; };
  const auto rows = [&](const json& sizes) {
    return json::array(
        {permuted, aten_node("aten.reshape.default", {{"self", aten_tensor("p")}, {"shape", ints(sizes)}}, "y")});
  };
  CHECK(imported(program(rows({2, -1, 3}))).network.nodes[1].output == graph::Shape{64 * 64, 3, 1});
  CHECK(rule(rows({2, -1, 2})).find("cannot cut 3 channels into 2 values") != std::string::npos);
  CHECK(rule(rows({2, 7, 3})) == "the file fixes 7 rows an image, but there are 4096");
  CHECK(rule(rows({2, -1, 0})).find("(batch, -1, values)") != std::string::npos);
  CHECK(rule(rows({2, 64, 64, 3})).find("(batch, -1, values)") != std::string::npos);
  CHECK(rule(json::array({permuted, aten_node("aten.relu.default", {{"self", aten_tensor("p")}}, "y")})) ==
        "its argument 'self' is a permuted map; a reshape to (batch, -1, values) is supported");
  CHECK(rule(json::array({aten_node("aten.permute.default", {{"self", aten_tensor("x")}, {"dims", ints({0, 3, 1, 2})}},
                                    "y")})) == "permute but of (0, 2, 3, 1) is not supported");
  CHECK(rule(json::array({aten_node("aten.pad.default", {{"self", aten_tensor("x")}, {"pad", ints({0, 1})}}, "y")})) ==
        "padding on its own is not supported");
  CHECK(rule(json::array({aten_node("aten.empty.memory_format", {{"size", ints({2, 3, 1, 1})}}, "y")})) ==
        "a tensor that forward() makes, but for one number an image is not supported");
  const json conv = aten_node("aten.conv2d.default", {{"input", aten_tensor("x")}, {"weight", aten_tensor("w")}}, "a");
  const json scores = aten_node("aten.log_softmax.int", {{"self", aten_tensor("a")}, {"dim", {{"as_int", 1}}}}, "b");
  CHECK(rule(json::array({conv, scores, aten_node("aten.relu.default", {{"self", aten_tensor("b")}}, "y")})) ==
        "its argument 'self' is no tensor that a node before it makes");
}

TEST_CASE("graphs of archives that make no sense are refused") {
  const auto relu = [](const std::string& input, const std::string& output) {
    return aten_node("aten.relu.default", {{"self", aten_tensor(input)}}, output);
  };
  const auto rule = [](const std::string& bytes) { return error_of(bytes).rule; };
  CHECK(rule(program(json::array({relu("y", "z"), relu("x", "y")}))).find("no node before it makes") ==
        std::string::npos);
  CHECK(rule(program(json::array({relu("y", "y")}))) == "its argument 'self' is no tensor that a node before it makes");
  CHECK(rule(program(json::array({relu("x", "y"), relu("x", "y")}))) == "its output 'y' has no name of its own");
  CHECK(rule(program(json::array({relu("x", "y")}), "z")) == "no node makes its output 'z'");
  CHECK(rule(program(json::array())) == "no node makes its output 'y'");
  CHECK(rule(program(7)) == "its graph has no nodes");
  for (const json& any : {json(), json(1), json("a"), json::array(), json{{"graph_module", 1}}}) {
    CHECK(!read(zip({{"models/a.json", any.dump()}})).has_value());
  }
  const json conv = aten_node("aten.conv2d.default", {{"input", aten_tensor("x")}, {"weight", aten_tensor("w")}}, "y");
  constexpr std::int64_t kTooLarge = std::int64_t{1} << 62;
  for (const json& sizes : {json{kTooLarge, 3, 3, 3}, json{8, kTooLarge, 3, 3}, json{8, 3, kTooLarge, kTooLarge},
                            json{-8, 3, 3, 3}, json{8, 0, 3, 3}, json{8, 3}, json{"8", 3, 3, 3}}) {
    CHECK(error_of(program(json::array({conv}), "y", sizes)).fault == base::Fault::question);
  }
}

TEST_CASE("archives that are cut, damaged, of another kind or grow beyond bounds cannot be read") {
  const std::string whole = fixture("residual.pt2");
  for (std::size_t length = 2; length < whole.size(); length += 11) {
    CHECK(error_of(whole.substr(0, length)).fault == base::Fault::file);
  }
  std::string damaged = whole;
  damaged[damaged.size() / 3] = static_cast<char>(damaged[damaged.size() / 3] ^ 0x55);
  CHECK(error_of(damaged).rule.find("damaged") != std::string::npos);
  CHECK(error_of(zip({{"archive/data.pkl", "x"}})).rule.find("none of torch.export") != std::string::npos);
  CHECK(error_of(zip({{"models/a.json", "{}"}, {"models/b.json", "{}"}})).rule == "holds several networks");
  const std::string bomb(std::size_t{100} << 20U, ' ');
  CHECK(error_of(zip({{"models/a.json", bomb, deflated(bomb)}})).rule == "its graph is damaged, or larger than 32 MiB");
  CHECK(error_of(zip({{"models/a.json", std::string(100'000, '[')}})).rule.find("nests deeper") != std::string::npos);
}

}  // namespace
}  // namespace vggplan::importers
