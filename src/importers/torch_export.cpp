// SPDX-License-Identifier: MIT
// Archives of torch.export (PyTorch 2.5 or later: training operators are kept as they were called).
#include <fmt/format.h>

#include <array>

#include "importers/archive.hpp"
#include "importers/aten_call.hpp"
#include "importers/formats.hpp"
#include "vggplan/base/format.hpp"
#include "vggplan/base/json_text.hpp"

namespace vggplan::importers {
namespace aten {
namespace {

using graph::NodeId;
using graph::Shape;
using nlohmann::json;

/// Whether a node makes a tensor; others reckon with sizes, and are no layers.
bool makes_tensor(const json& node) {
  const json& outputs = member(node, "outputs");
  return outputs.is_array() && !outputs.empty() &&
         (member(outputs.front(), "as_tensor").is_object() || member(outputs.front(), "as_tensors").is_array());
}

/// A name for a side of a map, which sizes behind it refer to. That of the batch stays unknown.
void name_size(Walk& walk, const json& node) {
  const Call call(walk, node, "");
  const auto* map = call.find<NodeId>("self");
  const std::string name = text_of(member(member(node, "outputs").front(), "as_sym_int"), "as_name");
  if (map != nullptr && !name.empty()) {
    const Shape& shape = call.shape(*map);
    const std::array<std::int64_t, 3> sizes{shape.channels, shape.height, shape.width};
    const std::int64_t dim = call.integer("dim", 0);
    if (dim >= 1 && dim <= 3) {
      walk.values.insert_or_assign(name, Numbers{static_cast<double>(sizes.at(static_cast<std::size_t>(dim - 1)))});
    }
  }
}

base::Status run_node(Walk& walk, const json& node, const std::string& shown, std::size_t index) {
  const std::string target = text_of(node, "target");
  if (!makes_tensor(node)) {
    if (target == "torch.ops.aten.sym_size.int" && member(node, "outputs").is_array() && !node["outputs"].empty()) {
      name_size(walk, node);
    }
    return std::nullopt;
  }
  Call call(walk, node, fmt::format("{}: node {}, operator {}", shown, index, base::quoted(target)));
  run_operator(call, target);
  return call.error();
}

/// The sides of the image that the file was exported with; nothing where they were left open.
std::optional<graph::Pair> sides_of(const json& meta) {
  const json& sizes = member(meta, "sizes");
  const bool map = sizes.is_array() && sizes.size() == 4;
  const auto height = map ? size_of(sizes[2]) : std::nullopt;
  const auto width = map ? size_of(sizes[3]) : std::nullopt;
  return height && width ? std::optional(graph::Pair{*height, *width}) : std::nullopt;
}

/// Parameters and buffers with their sizes, and the one input that is none of them.
base::Status prepare(Walk& walk, const json& graph, const json& signature, const std::string& shown) {
  std::size_t images = 0;
  for (const json& spec : member(signature, "input_specs")) {
    const bool parameter = member(spec, "parameter").is_object();
    const json& other = member(spec, parameter ? "parameter" : "buffer");
    const std::string name = text_of(member(other, "arg"), "name");
    if (other.is_object()) {
      const json& meta = member(member(graph, "tensor_values"), name);
      const json& gradient = member(meta, "requires_grad");
      Weight weight{text_of(other, parameter ? "parameter_name" : "buffer_name"), {}, true, {}};
      weight.trained = !gradient.is_boolean() || gradient.get<bool>();
      for (const json& size : member(meta, "sizes")) {
        weight.dims.push_back(size_of(size).value_or(-1));
      }
      walk.values.insert_or_assign(name, std::move(weight));
    } else if (member(spec, "user_input").is_object()) {
      const std::string image = text_of(member(member(member(spec, "user_input"), "arg"), "as_tensor"), "name");
      walk.values.insert_or_assign(image, NodeId{0});
      walk.exported = sides_of(member(member(graph, "tensor_values"), image));
      ++images;
    }
  }
  return images == 1 ? std::nullopt
                     : base::Status(base::wrong(
                           shown, fmt::format("has {} inputs; networks of one batch of images are supported", images)));
}

base::Result<std::vector<NodeId>> outputs_of(const Walk& walk, const json& signature, const std::string& shown) {
  std::vector<NodeId> outputs;
  for (const json& spec : member(signature, "output_specs")) {
    if (!member(spec, "user_output").is_object()) {
      continue;  // buffers of batch norm
    }
    const std::string name = text_of(member(member(member(spec, "user_output"), "arg"), "as_tensor"), "name");
    const auto id = output_node(walk.values, name);
    if (!id) {
      return base::wrong(shown, fmt::format("no node makes its output {}", base::quoted(name)));
    }
    outputs.push_back(*id);
  }
  return outputs;
}

void add_warnings(const Walk& walk, Imported& imported) {
  if (walk.training) {
    for (const NodeId norm : walk.fixed_norms) {
      std::get<graph::BatchNorm>(imported.network.nodes[norm].kind).frozen = true;
    }
  } else if (walk.lost_dropout || !walk.fixed_norms.empty()) {
    imported.warnings.push_back(
        "the file was exported for inference (model.eval()): its dropout and batch norm are taken as they are in "
        "training; export after model.train() to be sure");
  }
}

base::Result<Imported> network_of(const json& program, const std::string& shown, Shape image) {
  const json& module = member(program, "graph_module");
  const json& graph = member(module, "graph");
  const json& nodes = member(graph, "nodes");
  if (!nodes.is_array()) {
    return base::wrong(shown, "its graph has no nodes", "write it with torch.export.save()");
  }
  Walk walk{{Assembly(shown, base::printable(shown), image)}};
  TRY(prepare(walk, graph, member(module, "signature"), shown));
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    TRY(run_node(walk, nodes[i], shown, i));
  }
  const auto outputs = TRY(outputs_of(walk, member(module, "signature"), shown));
  Imported imported{TRY(std::move(walk.assembly).finish(std::nullopt, outputs)), {}};
  add_warnings(walk, imported);
  warn_of_holds(imported);
  return imported;
}

}  // namespace
}  // namespace aten

Opened open_torch_export(std::string_view zip, const std::string& shown) {
  const auto text = TRY(exported_program(zip, shown));
  auto program = TRY(base::parse_json<nlohmann::json>(text, shown));
  return std::make_shared<const NetworkFile>(
      [program = std::move(program), shown](graph::Shape image) { return aten::network_of(program, shown, image); });
}

}  // namespace vggplan::importers
