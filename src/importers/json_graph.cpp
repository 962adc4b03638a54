// SPDX-License-Identifier: MIT
// The JSON graph that `vggplan schema network` describes.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "importers/assembly.hpp"
#include "importers/formats.hpp"
#include "vggplan/base/format.hpp"
#include "vggplan/base/json_text.hpp"
#include "vggplan/catalog/json_reader.hpp"

namespace vggplan::importers {
namespace {

using catalog::ObjectReader;
using graph::Function;
using graph::Kind;
using graph::NodeId;
using graph::Pair;
using graph::Shape;
using nlohmann::json;

constexpr std::int64_t kMost = graph::kLargestSide;

/// A number for both sides, or [height, width].
std::optional<Pair> optional_pair(ObjectReader& node, std::string_view key, std::int64_t least) {
  const json* value = node.find(key);
  if (value == nullptr) {
    return std::nullopt;
  }
  const auto side = [&](const json& item) {
    const bool whole = item.is_number_integer() && item >= least && item <= kMost;
    if (!whole) {
      node.report(key, fmt::format("must be whole numbers from {} to {}", least, kMost), "");
    }
    return whole ? item.get<std::int64_t>() : least;
  };
  if (!value->is_array()) {
    return Pair{side(*value), side(*value)};
  }
  if (value->size() != 2) {
    node.report(key, fmt::format("must be one number or [height, width], not {} numbers", value->size()), "");
    return std::nullopt;
  }
  return Pair{side((*value)[0]), side((*value)[1])};
}

Pair pair(ObjectReader& node, std::string_view key, std::int64_t least) {
  const auto value = optional_pair(node, key, least);
  if (!value && !node.has(key)) {
    node.report(key, "is missing", "'vggplan schema network' lists the keys");
  }
  return value.value_or(Pair{});
}

Pair pair_or(ObjectReader& node, std::string_view key, std::int64_t least, Pair otherwise) {
  return optional_pair(node, key, least).value_or(otherwise);
}

graph::Convolution convolution(ObjectReader& node) {
  graph::Convolution conv;
  conv.out_channels = node.integer("out_channels", 1, graph::kMostChannels);
  conv.kernel = pair(node, "kernel_size", 1);
  conv.stride = pair_or(node, "stride", 1, {1, 1});
  conv.padding = pair_or(node, "padding", 0, {0, 0});
  conv.dilation = pair_or(node, "dilation", 1, {1, 1});
  conv.groups = node.optional_integer("groups", 1, graph::kMostChannels).value_or(1);
  conv.bias = node.optional_boolean("bias", true);
  return conv;
}

Kind transposed_convolution(ObjectReader& node, const Shape&) {
  graph::Convolution conv = convolution(node);
  conv.transposed = true;
  conv.output_padding = pair_or(node, "output_padding", 0, {0, 0});
  return conv;
}

graph::Window window(ObjectReader& node) {
  graph::Window window;
  window.kernel = pair(node, "kernel_size", 1);
  window.stride = pair_or(node, "stride", 1, window.kernel);
  window.padding = pair_or(node, "padding", 0, {0, 0});
  window.ceil = node.optional_boolean("ceil_mode", false);
  return window;
}

Kind adaptive_pool(ObjectReader& node, const Shape&) {
  const Pair size = pair(node, "output_size", 1);
  return graph::AdaptiveAveragePool{size.height, size.width};
}

Kind linear(ObjectReader& node, const Shape&) {
  graph::Linear linear;
  linear.out_features = node.integer("out_features", 1, graph::kMostClasses);
  linear.bias = node.optional_boolean("bias", true);
  return linear;
}

graph::Dropout dropout(ObjectReader& node, bool whole_channels) {
  return {node.optional_number("p", {0, 1, false, true}).value_or(0.5), whole_channels};
}

Kind resize(ObjectReader& node, const Shape& input) {
  graph::Resize resize;
  const auto size = optional_pair(node, "size", 1);
  const auto factor = node.optional_number("scale_factor", {0, static_cast<double>(kMost), true, false});
  if (size.has_value() == factor.has_value()) {
    node.report("size", "give one of 'size' and 'scale_factor'", "");
  }
  const auto scaled = [&](std::int64_t side) {  // F.interpolate rounds down
    return static_cast<std::int64_t>(std::floor(static_cast<double>(side) * factor.value_or(1)));
  };
  resize.size = size.value_or(Pair{scaled(input.height), scaled(input.width)});
  const std::string mode = node.optional_text("mode").value_or("nearest");
  if (mode != "nearest" && mode != "bilinear") {
    node.report("mode", fmt::format("must be 'nearest' or 'bilinear', not {}", base::quoted(mode)), "");
  }
  resize.bilinear = mode == "bilinear";
  return resize;
}

template <Function kFunction, bool kInPlace>
Kind activation(ObjectReader& node, const Shape&) {
  return graph::Activation{kFunction, node.optional_boolean("in_place", kInPlace)};
}

/// The operators, in words of torch.nn, and what reads their keys.
using Maker = Kind (*)(ObjectReader& node, const Shape& input);
const std::map<std::string, Maker, std::less<>>& makers() {
  static const std::map<std::string, Maker, std::less<>> kMakers{
      {"conv2d", [](ObjectReader& n, const Shape&) -> Kind { return convolution(n); }},
      {"conv_transpose2d", transposed_convolution},
      {"batch_norm2d",
       [](ObjectReader& n, const Shape&) -> Kind {
         return graph::BatchNorm{0, n.optional_boolean("frozen", false)};
       }},
      {"relu", activation<Function::relu, true>},
      {"relu6", activation<Function::relu6, true>},
      {"leaky_relu", activation<Function::leaky_relu, false>},
      {"silu", activation<Function::silu, true>},
      {"gelu", activation<Function::gelu, false>},
      {"sigmoid", activation<Function::sigmoid, false>},
      {"hardswish", activation<Function::hard_swish, true>},
      {"hardsigmoid", activation<Function::hard_sigmoid, false>},
      {"tanh", activation<Function::tanh, false>},
      {"max_pool2d", [](ObjectReader& n, const Shape&) -> Kind { return graph::MaxPool{window(n)}; }},
      {"avg_pool2d", [](ObjectReader& n, const Shape&) -> Kind { return graph::AveragePool{window(n)}; }},
      {"adaptive_avg_pool2d", adaptive_pool},
      {"linear", linear},
      {"dropout", [](ObjectReader& n, const Shape&) -> Kind { return dropout(n, false); }},
      {"dropout2d", [](ObjectReader& n, const Shape&) -> Kind { return dropout(n, true); }},
      {"add", [](ObjectReader& n, const Shape&) -> Kind { return graph::Add{n.optional_boolean("in_place", false)}; }},
      {"multiply", [](ObjectReader&, const Shape&) -> Kind { return graph::Multiply{}; }},
      {"concatenate", [](ObjectReader&, const Shape&) -> Kind { return graph::Concatenate{}; }},
      {"resize", resize},
      {"flatten", [](ObjectReader&, const Shape&) -> Kind { return graph::Flatten{}; }},
      {"layer_norm", [](ObjectReader&, const Shape&) -> Kind { return graph::LayerNorm{}; }},
      {"softmax", [](ObjectReader&, const Shape&) -> Kind { return graph::Softmax{}; }},
  };
  return kMakers;
}

std::vector<std::string> operators() {
  std::vector<std::string> names;
  for (const auto& [name, maker] : makers()) {
    names.push_back(name);
  }
  return names;
}

class GraphReader {
 public:
  GraphReader(std::string shown, std::string name, Shape image, ObjectReader::Context& context)
      : assembly_(std::move(shown), std::move(name), image), context_(context) {}

  void node(const json& value, const std::string& pointer) {
    ObjectReader reader(value, pointer, context_);
    const std::string name = reader.name("name");
    if (known_.contains(name)) {
      reader.report("name", fmt::format("the name {} is taken", base::quoted(name)), "give each node its own");
    }
    const std::vector<NodeId> inputs = named(reader, "inputs", true);
    const std::string op = reader.text("op");
    const auto maker = makers().find(op);
    if (maker == makers().end() && reader.has("op")) {
      reader.report("op", fmt::format("unknown operator {}", base::quoted(op)), base::suggestion(op, operators()));
    }
    const bool trained = reader.optional_boolean("trained", true);
    const auto held = reader.optional_text("held_until");
    if (context_.error) {
      if (!reader.has("op")) {
        reader.finish();  // it may be misspelled
      }
      return;
    }
    Kind kind = maker->second(reader, assembly_.shape(inputs.front()));
    reader.finish();
    if (!context_.error) {
      add(pointer, name, kind, inputs, trained);
    }
    if (held && !context_.error) {
      held_.push_back({known_.at(name), *held, reader.pointer_to("held_until")});
    }
  }

  base::Result<graph::Network> finish(ObjectReader& root) && {
    const std::vector<NodeId> outputs = named(root, "outputs", false);
    const std::optional<graph::Objective> loss = objective(root);
    for (const Held& held : held_) {
      const auto until = known_.find(held.until);
      if (until == known_.end() || until->second < held.node) {
        fail(base::wrong(context_.shown + ":" + held.pointer,
                         fmt::format("{} is no later node", base::quoted(held.until))));
      } else {
        assembly_.hold(held.node, until->second);
      }
    }
    root.finish();
    TRY(context_.error);
    return std::move(assembly_).finish(loss, outputs);
  }

 private:
  struct Held {
    NodeId node{};
    std::string until{};
    std::string pointer{};
  };

  void fail(base::Diagnostic error) {
    if (!context_.error) {
      context_.error = std::move(error);
    }
  }

  /// The nodes that a list names; the last one where there is none.
  std::vector<NodeId> named(ObjectReader& reader, std::string_view key, bool earlier) {
    std::vector<NodeId> nodes;
    for (const std::string& name : reader.texts(key)) {
      const auto found = known_.find(name);
      if (found == known_.end()) {
        reader.report(key, fmt::format("{} is no {}node", base::quoted(name), earlier ? "earlier " : ""),
                      earlier ? "nodes are listed in the order in which they run; the first one reads 'image'" : "");
        return {last_};
      }
      nodes.push_back(found->second);
    }
    return nodes.empty() ? std::vector{last_} : nodes;
  }

  void add(const std::string& pointer, const std::string& name, Kind kind, const std::vector<NodeId>& inputs,
           bool trained) {
    const auto id = assembly_.add(context_.shown + ":" + pointer, name, kind, inputs);
    if (!id) {
      return fail(id.error());
    }
    if (!trained) {
      assembly_.freeze(*id);
    }
    last_ = *id;
    known_.emplace(name, *id);
  }

  static std::optional<graph::Objective> objective(ObjectReader& root) {
    static constexpr auto kNames = base::NamesAsWritten<graph::Objective>::table;
    const auto name = root.optional_text("loss");
    const auto* found = std::ranges::find(kNames, name.value_or(""), &base::Named<graph::Objective>::name);
    if (name && found == kNames.end()) {
      root.report("loss", fmt::format("unknown loss {}", base::quoted(*name)),
                  "give cross_entropy, pixel_cross_entropy, mse or ssd");
    }
    return found == kNames.end() ? std::nullopt : std::optional(found->value);
  }

  Assembly assembly_;
  ObjectReader::Context& context_;
  std::map<std::string, NodeId, std::less<>> known_{{"image", 0}};
  std::vector<Held> held_{};
  NodeId last_{0};
};

base::Result<Imported> network_of(const json& root, const std::string& shown, Shape image) {
  ObjectReader::Context context{shown, "network"};
  ObjectReader reader(root, "", context);
  static_cast<void>(reader.optional_text("$schema"));  // for editors
  static_cast<void>(reader.optional_text("source"));
  GraphReader graph(shown, reader.name("name"), image, context);
  const json* nodes = reader.array("nodes", true);
  if (nodes != nullptr && nodes->empty()) {
    reader.report("nodes", "must not be empty", "");
  }
  for (std::size_t i = 0; nodes != nullptr && i < nodes->size() && !context.error; ++i) {
    graph.node((*nodes)[i], fmt::format("/nodes/{}", i));
  }
  return Imported{TRY(std::move(graph).finish(reader)), {}};
}

}  // namespace

Opened open_json_graph(std::string_view text, const std::string& shown) {
  auto root = TRY(base::parse_json<json>(text, shown));
  return std::make_shared<const NetworkFile>(
      [root = std::move(root), shown](Shape image) { return network_of(root, shown, image); });
}

}  // namespace vggplan::importers
