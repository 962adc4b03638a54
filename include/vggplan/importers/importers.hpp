// SPDX-License-Identifier: MIT
// Networks of the user's own, read from files that come from anywhere. Nothing in them is executed, and of weights
// only the shapes are read.
#pragma once

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

/// A JSON graph (`vggplan schema network`), an ONNX file or an archive of torch.export, told apart by content.
/// Shapes are those for `image`, whatever image the file was exported with. `shown` is the file, as messages call it.
/// Errors: Fault::file where the bytes cannot be decoded, Fault::question where what they say makes no network.
base::Result<Imported> read_network(std::string_view bytes, const std::string& shown, graph::Shape image);

}  // namespace vggplan::importers
