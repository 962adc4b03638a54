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
#include "vggplan/catalog/record_file.hpp"
#include "vggplan/schema/object_reader.hpp"

namespace vggplan::importers {
namespace {

using graph::Function;
using graph::Kind;
using graph::NodeId;
using graph::Pair;
using graph::Shape;
using schema::ObjectReader;

/// A number for both sides, or [height, width].
std::optional<Pair> optional_pair(const ObjectReader& node, std::string_view key) {
  if (const auto side = node.optional_integer(key)) {
    return Pair{*side, *side};
  }
  const std::vector<std::int64_t> sides = node.integers(key);
  return sides.empty() ? std::nullopt : std::optional(Pair{sides.front(), sides.back()});
}

Pair pair(const ObjectReader& node, std::string_view key, Pair otherwise = {}) {
  return optional_pair(node, key).value_or(otherwise);
}

graph::Convolution convolution(const ObjectReader& node) {
  graph::Convolution conv;
  conv.out_channels = node.integer("out_channels");
  conv.kernel = pair(node, "kernel_size");
  conv.stride = pair(node, "stride", {1, 1});
  conv.padding = pair(node, "padding", {0, 0});
  conv.dilation = pair(node, "dilation", {1, 1});
  conv.groups = node.integer("groups", 1);
  conv.bias = node.boolean("bias", true);
  return conv;
}

Kind transposed_convolution(const ObjectReader& node, const Shape&) {
  graph::Convolution conv = convolution(node);
  conv.transposed = true;
  conv.output_padding = pair(node, "output_padding", {0, 0});
  return conv;
}

graph::Window window(const ObjectReader& node) {
  graph::Window window;
  window.kernel = pair(node, "kernel_size");
  window.stride = pair(node, "stride", window.kernel);
  window.padding = pair(node, "padding", {0, 0});
  window.ceil = node.boolean("ceil_mode");
  return window;
}

Kind adaptive_pool(const ObjectReader& node, const Shape&) {
  const Pair size = pair(node, "output_size");
  return graph::AdaptiveAveragePool{size.height, size.width};
}

Kind linear(const ObjectReader& node, const Shape&) {
  graph::Linear linear;
  linear.out_features = node.integer("out_features");
  linear.bias = node.boolean("bias", true);
  return linear;
}

graph::Dropout dropout(const ObjectReader& node, bool whole_channels) {
  return {node.number("p", 0.5), whole_channels};
}

Kind resize(const ObjectReader& node, const Shape& input) {
  graph::Resize resize;
  const auto size = optional_pair(node, "size");
  const auto factor = node.optional_number("scale_factor");
  if (size.has_value() == factor.has_value()) {
    node.report("size", "give one of 'size' and 'scale_factor'");
  }
  const auto scaled = [&](std::int64_t side) {  // F.interpolate rounds down
    return static_cast<std::int64_t>(std::floor(static_cast<double>(side) * factor.value_or(1)));
  };
  resize.size = size.value_or(Pair{scaled(input.height), scaled(input.width)});
  resize.bilinear = node.text("mode") == "bilinear";
  return resize;
}

template <Function kFunction, bool kInPlace>
Kind activation(const ObjectReader& node, const Shape&) {
  return graph::Activation{kFunction, node.boolean("in_place", kInPlace)};
}

/// The operators, in words of torch.nn, and what reads their keys.
using Maker = Kind (*)(const ObjectReader& node, const Shape& input);
const std::map<std::string, Maker, std::less<>>& makers() {
  static const std::map<std::string, Maker, std::less<>> kMakers{
      {"conv2d", [](const ObjectReader& n, const Shape&) -> Kind { return convolution(n); }},
      {"conv_transpose2d", transposed_convolution},
      {"batch_norm2d",
       [](const ObjectReader& n, const Shape&) -> Kind {
         return graph::BatchNorm{0, n.boolean("frozen", false)};
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
      {"max_pool2d", [](const ObjectReader& n, const Shape&) -> Kind { return graph::MaxPool{window(n)}; }},
      {"avg_pool2d", [](const ObjectReader& n, const Shape&) -> Kind { return graph::AveragePool{window(n)}; }},
      {"adaptive_avg_pool2d", adaptive_pool},
      {"linear", linear},
      {"dropout", [](const ObjectReader& n, const Shape&) -> Kind { return dropout(n, false); }},
      {"dropout2d", [](const ObjectReader& n, const Shape&) -> Kind { return dropout(n, true); }},
      {"add", [](const ObjectReader& n, const Shape&) -> Kind { return graph::Add{n.boolean("in_place", false)}; }},
      {"multiply", [](const ObjectReader&, const Shape&) -> Kind { return graph::Multiply{}; }},
      {"concatenate", [](const ObjectReader&, const Shape&) -> Kind { return graph::Concatenate{}; }},
      {"resize", resize},
      {"flatten", [](const ObjectReader&, const Shape&) -> Kind { return graph::Flatten{}; }},
      {"layer_norm", [](const ObjectReader&, const Shape&) -> Kind { return graph::LayerNorm{}; }},
      {"softmax", [](const ObjectReader&, const Shape&) -> Kind { return graph::Softmax{}; }},
  };
  return kMakers;
}

class GraphReader {
 public:
  GraphReader(std::string shown, std::string name, Shape image, ObjectReader::Context& context)
      : assembly_(std::move(shown), std::move(name), image), context_(context) {}

  void node(const ObjectReader& reader) {
    const std::string name = reader.text("name");
    if (known_.contains(name)) {
      reader.report("name", fmt::format("the name {} is taken", base::quoted(name)), "give each node its own");
    }
    const std::vector<NodeId> inputs = named(reader, "inputs", true);
    const auto maker = makers().find(reader.text("op"));
    if (context_.error || maker == makers().end()) {
      return;
    }
    const Kind kind = maker->second(reader, assembly_.shape(inputs.front()));
    if (!context_.error) {
      add(reader.place(), name, kind, inputs, reader.boolean("trained", true));
    }
    if (const auto held = reader.optional_text("held_until"); held && !context_.error) {
      held_.push_back({known_.at(name), *held, reader.pointer_to("held_until")});
    }
  }

  base::Result<graph::Network> finish(const ObjectReader& root) && {
    const std::vector<NodeId> outputs = named(root, "outputs", false);
    const std::optional<graph::Objective> loss = objective(root);
    for (const Held& held : held_) {
      const auto until = known_.find(held.until);
      if (until == known_.end() || until->second < held.node) {
        fail(base::wrong(context_.file + ":" + held.pointer,
                         fmt::format("{} is no later node", base::quoted(held.until))));
      } else {
        assembly_.hold(held.node, until->second);
      }
    }
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
  std::vector<NodeId> named(const ObjectReader& reader, std::string_view key, bool earlier) {
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

  void add(const std::string& place, const std::string& name, const Kind& kind, const std::vector<NodeId>& inputs,
           bool trained) {
    const auto id = assembly_.add(place, name, kind, inputs);
    if (!id) {
      return fail(id.error());
    }
    if (!trained) {
      assembly_.freeze(*id);
    }
    last_ = *id;
    known_.emplace(name, *id);
  }

  static std::optional<graph::Objective> objective(const ObjectReader& root) {
    static constexpr auto kNames = base::NamesAsWritten<graph::Objective>::table;
    const auto* found = std::ranges::find(kNames, root.text("loss"), &base::Named<graph::Objective>::name);
    return found == kNames.end() ? std::nullopt : std::optional(found->value);
  }

  Assembly assembly_;
  ObjectReader::Context& context_;
  std::map<std::string, NodeId, std::less<>> known_{{"image", 0}};
  std::vector<Held> held_{};
  NodeId last_{0};
};

base::Result<Imported> network_of(const schema::Json& root, const std::string& shown, Shape image) {
  ObjectReader::Context context{shown, {}};
  const ObjectReader reader(root, "", context);
  GraphReader graph(shown, reader.text("name"), image, context);
  reader.each("nodes", [&](const ObjectReader& node) {
    if (!context.error) {
      graph.node(node);
    }
  });
  return Imported{TRY(std::move(graph).finish(reader)), {}};
}

}  // namespace

Opened open_json_graph(std::string_view text, const std::string& shown) {
  auto root = TRY(base::parse_json<schema::Json>(text, shown));
  TRY(catalog::check_by_schema("network", root, shown));
  return std::make_shared<const NetworkFile>(
      [root = std::move(root), shown](Shape image) { return network_of(root, shown, image); });
}

}  // namespace vggplan::importers
