// SPDX-License-Identifier: MIT
// Networks of the user's own, read from files that come from anywhere. Nothing in them is executed, and of weights
// only the shapes are read.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "vggplan/base/result.hpp"
#include "vggplan/graph/graph.hpp"

namespace vggplan::importers {

struct Imported {
  graph::Network network{};
  std::vector<std::string> warnings{};  ///< what the file does not tell, and what is taken instead
};

/// Whether `bytes` are for read_network(), and not a model of the VGG family (JSON with "features").
bool is_network(std::string_view bytes);

/// What was decoded of a file, to be read for any image.
class NetworkFile : public graph::Recipe {
 public:
  /// Shapes are those for `image`, whatever image the file was exported with.
  /// Errors (Fault::question) where what the file says makes no network.
  [[nodiscard]] virtual base::Result<Imported> read(graph::Shape image) const = 0;
  [[nodiscard]] base::Result<graph::Network> network(graph::Shape image) const final;
};

/// A JSON graph (`vggplan schema network`), an ONNX file or an archive of torch.export, told apart by content.
/// `shown` is the file, as messages call it. Errors: Fault::file where bytes cannot be decoded, Fault::question in
/// JSON.
base::Result<std::shared_ptr<const NetworkFile>> open_network(std::string_view bytes, const std::string& shown);

/// Opens it and reads it for one image.
base::Result<Imported> read_network(std::string_view bytes, const std::string& shown, graph::Shape image);

}  // namespace vggplan::importers
