// SPDX-License-Identifier: MIT
#include "vggplan/importers/importers.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "importers/formats.hpp"
#include "vggplan/base/csv.hpp"
#include "vggplan/base/json_text.hpp"

namespace vggplan::importers {
namespace {

bool is_json(std::string_view bytes) { return base::trimmed(bytes).starts_with('{'); }

}  // namespace

bool is_network(std::string_view bytes) {
  if (!is_json(bytes)) {
    // A zip begins with PK, a protobuf with small numbers that no text holds.
    const std::string_view start = bytes.substr(0, 64);
    return start.starts_with("PK") || std::ranges::any_of(start, [](unsigned char c) { return c < '\t'; });
  }
  const auto root = base::parse_json<nlohmann::json>(bytes, "");
  return root && root->contains("nodes");
}

base::Result<graph::Network> NetworkFile::network(graph::Shape image) const { return TRY(read(image)).network; }

base::Result<std::shared_ptr<const NetworkFile>> open_network(std::string_view bytes, const std::string& shown) {
  if (is_json(bytes)) {
    return open_json_graph(bytes, shown);
  }
  return bytes.starts_with("PK") ? open_torch_export(bytes, shown) : open_onnx(bytes, shown);
}

}  // namespace vggplan::importers
