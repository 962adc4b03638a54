// SPDX-License-Identifier: MIT
#include "vggplan/importers/importers.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "importers/json_graph.hpp"
#include "importers/onnx.hpp"
#include "importers/torch_export.hpp"
#include "vggplan/base/json_text.hpp"
#include "vggplan/base/range.hpp"

namespace vggplan::importers {
namespace {

bool is_json(std::string_view bytes) {
  const std::size_t first = bytes.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && bytes[first] == '{';
}

}  // namespace

bool is_network(std::string_view bytes) {
  if (!is_json(bytes)) {
    // A zip begins with PK, a protobuf with small numbers that no text holds.
    const std::string_view start = bytes.substr(0, 64);
    return start.starts_with("PK") ||
           std::any_of(start.begin(), start.end(), [](char c) { return c >= 0 && c < '\t'; });
  }
  const auto root = base::parse_json<nlohmann::json>(bytes, "");
  return root && root->contains("nodes");
}

base::Result<Imported> read_network(std::string_view bytes, const std::string& shown, graph::Shape image) {
  for (const base::Range& range : {base::Range{"--height", image.height, 1, graph::kLargestSide, ""},
                                   base::Range{"--width", image.width, 1, graph::kLargestSide, ""},
                                   base::Range{"--channels", image.channels, 1, graph::kMostChannels, ""}}) {
    if (auto problem = base::check_range(range)) {
      return *std::move(problem);
    }
  }
  if (is_json(bytes)) {
    return read_json_graph(bytes, shown, image);
  }
  return bytes.starts_with("PK") ? read_torch_export(bytes, shown, image) : read_onnx(bytes, shown, image);
}

}  // namespace vggplan::importers
