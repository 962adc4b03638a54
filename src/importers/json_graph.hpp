// SPDX-License-Identifier: MIT
#pragma once

#include "vggplan/importers/importers.hpp"

namespace vggplan::importers {

base::Result<std::shared_ptr<const NetworkFile>> open_json_graph(std::string_view text, const std::string& shown);

}  // namespace vggplan::importers
