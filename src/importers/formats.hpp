// SPDX-License-Identifier: MIT
// Files by their format; open_network() tells which one it is.
#pragma once

#include "vggplan/importers/importers.hpp"

namespace vggplan::importers {

using Opened = base::Result<std::shared_ptr<const NetworkFile>>;

Opened open_json_graph(std::string_view text, const std::string& shown);
Opened open_onnx(std::string_view bytes, const std::string& shown);
Opened open_torch_export(std::string_view zip, const std::string& shown);

}  // namespace vggplan::importers
