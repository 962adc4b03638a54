// SPDX-License-Identifier: MIT
// Archives of torch.export (PyTorch 2.5 or later: training operators are kept as they were called).
#include "importers/torch_export.hpp"

#include <fmt/format.h>

#include "importers/archive.hpp"
#include "importers/aten_operators.hpp"
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

base::Status run_node(Walk& walk, const json& node, const std::string& shown, std::size_t index) {
  if (!makes_tensor(node)) {
    return std::nullopt;
  }
  const std::string target = text_of(node, "target");
  Call call(walk, node, fmt::format("{}: node {}, operator {}", shown, index, base::quoted(target)));
  run_operator(call, target);
  return call.error();
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
        const json& number = member(size, "as_int");
        weight.dims.push_back(number.is_number_integer() ? number.get<std::int64_t>() : -1);
      }
      walk.values.insert_or_assign(name, std::move(weight));
    } else if (member(spec, "user_input").is_object()) {
      const std::string image = text_of(member(member(member(spec, "user_input"), "arg"), "as_tensor"), "name");
      walk.values.insert_or_assign(image, NodeId{0});
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
    const auto found = walk.values.find(name);
    const auto* id = found == walk.values.end() ? nullptr : std::get_if<NodeId>(&found->second);
    if (id == nullptr) {
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
  Walk walk{Assembly(shown, base::printable(shown), image)};
  if (auto error = prepare(walk, graph, member(module, "signature"), shown)) {
    return *error;
  }
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (auto error = run_node(walk, nodes[i], shown, i)) {
      return *error;
    }
  }
  const auto outputs = outputs_of(walk, member(module, "signature"), shown);
  if (!outputs) {
    return outputs.error();
  }
  std::vector<Shape> shapes;
  for (const NodeId output : *outputs) {
    shapes.push_back(walk.assembly.shape(output));
  }
  auto network = std::move(walk.assembly).finish(usual_objective(shapes), *outputs);
  if (!network) {
    return network.error();
  }
  Imported imported{std::move(*network), {}};
  add_warnings(walk, imported);
  return imported;
}

class Archive final : public NetworkFile {
 public:
  Archive(json program, std::string shown) : program_(std::move(program)), shown_(std::move(shown)) {}
  [[nodiscard]] base::Result<Imported> read(Shape image) const override { return network_of(program_, shown_, image); }

 private:
  json program_;
  std::string shown_;
};

}  // namespace
}  // namespace aten

base::Result<std::shared_ptr<const NetworkFile>> open_torch_export(std::string_view zip, const std::string& shown) {
  const auto text = exported_program(zip, shown);
  if (!text) {
    return text.error();
  }
  auto program = base::parse_json<nlohmann::json>(*text, shown);
  if (!program) {
    return program.error();
  }
  return std::shared_ptr<const NetworkFile>(std::make_shared<aten::Archive>(std::move(*program), shown));
}

}  // namespace vggplan::importers
