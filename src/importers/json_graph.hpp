// SPDX-License-Identifier: MIT
#pragma once

#include "vggplan/importers/importers.hpp"

namespace vggplan::importers {

base::Result<Imported> read_json_graph(std::string_view text, const std::string& shown, graph::Shape image);

}  // namespace vggplan::importers
