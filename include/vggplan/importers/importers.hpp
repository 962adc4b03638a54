// SPDX-License-Identifier: MIT
// Networks of the user's own, read from files that come from anywhere. Nothing in them is executed, and of weights
// only the shapes are read.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vggplan/base/result.hpp"
#include "vggplan/graph/graph.hpp"

namespace vggplan::importers {

struct Imported {
  graph::Network network{};
  std::vector<std::string> warnings{};  ///< what the file does not tell, and what is taken instead
};

/// Whether `bytes` are for open_network(), and not a model of the VGG family (JSON with "features").
bool is_network(std::string_view bytes);

/// What was decoded of a file, to be read for any image.
class NetworkFile final : public graph::Recipe {
 public:
  explicit NetworkFile(std::function<base::Result<Imported>(graph::Shape)> read) : read_(std::move(read)) {}
  /// Shapes are those for `image`, whatever image the file was exported with.
  /// Errors (Fault::question) where what the file says makes no network.
  [[nodiscard]] base::Result<Imported> read(graph::Shape image) const { return read_(image); }
  [[nodiscard]] base::Result<graph::Network> network(graph::Shape image) const override;

 private:
  std::function<base::Result<Imported>(graph::Shape)> read_;
};

/// A JSON graph (`vggplan schema network`), an ONNX file or an archive of torch.export, told apart by content.
/// `shown` is the file, as messages call it. Errors: Fault::file where bytes cannot be decoded, Fault::question in
/// JSON.
base::Result<std::shared_ptr<const NetworkFile>> open_network(std::string_view bytes, const std::string& shown);

}  // namespace vggplan::importers
