// SPDX-License-Identifier: MIT
#include "app/model_file.hpp"

#include <algorithm>
#include <array>

#include "app/values.hpp"
#include "vggplan/base/format.hpp"
#include "vggplan/catalog/catalog.hpp"
#include "vggplan/importers/importers.hpp"

namespace vggplan::app {

bool is_file_name(std::string_view model) {
  constexpr std::array<std::string_view, 3> kFormats{".json", ".onnx", ".pt2"};
  return model.find('/') != std::string_view::npos ||
         std::ranges::any_of(kFormats, [&](std::string_view ending) { return model.ends_with(ending); });
}

base::Result<graph::ModelSpec> read_model_file(const std::string& path, std::string_view place, World& world) {
  const std::string text = TRY(named_file(world.read_file(path), place,
                                          "name a model, or a file: ONNX, a .pt2 of torch.export, or JSON as vggplan "
                                          "schema network and vggplan schema model tell"));
  if (!importers::is_network(text)) {
    return catalog::model_from({path, text, path});
  }
  graph::ModelSpec spec;
  spec.name = base::printable(path);
  spec.own = TRY(importers::open_network(text, path));
  return spec;
}

base::Result<std::vector<std::string>> describe_own(graph::ModelSpec& model, const graph::Shape& image,
                                                    std::int64_t& classes) {
  const auto* file = dynamic_cast<const importers::NetworkFile*>(model.own.get());
  if (file == nullptr) {
    return std::vector<std::string>();
  }
  importers::Imported imported = TRY(file->read(image));
  const std::vector<graph::Node>& nodes = imported.network.nodes;
  model.batch_norm = std::any_of(nodes.begin(), nodes.end(), [](const graph::Node& node) {
    const auto* norm = std::get_if<graph::BatchNorm>(&node.kind);
    return norm != nullptr && !norm->frozen;
  });
  classes = imported.network.classes;
  return std::move(imported.warnings);
}

}  // namespace vggplan::app
