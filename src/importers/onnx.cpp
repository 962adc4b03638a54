// SPDX-License-Identifier: MIT
// Files of ONNX: what is a weight, what the image, and the nodes in order.
#include <fmt/format.h>

#include <algorithm>

#include "importers/formats.hpp"
#include "importers/onnx_call.hpp"
#include "vggplan/base/format.hpp"

namespace vggplan::importers {
namespace onnx {
namespace {

using graph::NodeId;
using graph::Shape;

base::Status run_node(Walk& walk, std::size_t index, const std::string& shown) {
  const Node& node = walk.graph.nodes[index];
  const std::string name = node.name.empty() ? fmt::format("number {}", index) : base::quoted(node.name);
  Call call(walk, index, fmt::format("{}: node {}, operator {}", shown, name, base::quoted(node.op)));
  run_operator(call);
  return call.error();
}

/// The initializers, the one input that is none of them, and who reads what.
base::Status prepare(Walk& walk, const std::string& shown) {
  for (const Tensor& tensor : walk.graph.initializers) {
    walk.values.insert_or_assign(tensor.name, Weight{tensor.name, tensor.dims, true, tensor.values});
  }
  std::vector<Tensor> images;
  std::ranges::copy_if(walk.graph.inputs, std::back_inserter(images),
                       [&](const Tensor& input) { return !walk.values.contains(input.name); });
  if (images.size() != 1) {
    return base::wrong(
        shown,
        fmt::format("has {} inputs without weights; networks of one batch of images are supported", images.size()),
        "export with weights (export_params=True), and with one input");
  }
  const std::vector<std::int64_t>& dims = images.front().dims;
  walk.values.emplace(images.front().name, NodeId{0});
  if (dims.size() == 4 && dims[2] > 0 && dims[3] > 0) {
    walk.exported = graph::Pair{dims[2], dims[3]};
  }
  for (std::size_t i = 0; i < walk.graph.nodes.size(); ++i) {
    for (const std::string& input : walk.graph.nodes[i].inputs) {
      if (walk.graph.nodes[i].op != "Shape") {  // reads no values
        walk.readers[input].push_back(i);
      }
    }
  }
  for (const std::string& output : walk.graph.outputs) {
    walk.readers[output].push_back(walk.graph.nodes.size());  // the loss
  }
  return std::nullopt;
}

base::Result<Imported> network_of(const Graph& graph, const std::string& shown, Shape image) {
  Walk walk{{Assembly(shown, base::printable(graph.name.empty() ? shown : graph.name), image)}, graph};
  TRY(prepare(walk, shown));
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    TRY(walk.fused.contains(i) ? std::nullopt : run_node(walk, i, shown));
  }
  std::vector<NodeId> outputs;
  for (const std::string& name : graph.outputs) {
    const auto id = output_node(walk.values, name);
    if (!id) {
      return base::wrong(shown, fmt::format("no node makes its output {}", base::quoted(name)));
    }
    outputs.push_back(*id);
  }
  Imported imported{TRY(std::move(walk.assembly).finish(std::nullopt, outputs)), {}};
  if (!walk.training) {
    imported.warnings.push_back(
        "the file was exported for inference: dropout is lost, and batch norm may be folded into convolutions; export "
        "with training=torch.onnx.TrainingMode.TRAINING and do_constant_folding=False, or give a .pt2 of torch.export");
  }
  imported.warnings.push_back(
      "ONNX does not tell which layers work in place, nor which are frozen: ReLU, ReLU6, SiLU and Hardswish are taken "
      "as "
      "in place where nothing else reads their input, sums as not, and all parameters as trained");
  warn_of_holds(imported);
  return imported;
}

}  // namespace
}  // namespace onnx

Opened open_onnx(std::string_view bytes, const std::string& shown) {
  auto graph = TRY(onnx::decode(bytes, shown));
  return std::make_shared<const NetworkFile>(
      [graph = std::move(graph), shown](graph::Shape image) { return onnx::network_of(graph, shown, image); });
}

}  // namespace vggplan::importers
