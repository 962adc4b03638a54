// SPDX-License-Identifier: MIT
#pragma once

#include "vggplan/importers/importers.hpp"

namespace vggplan::importers {

base::Result<Imported> read_torch_export(std::string_view zip, const std::string& shown, graph::Shape image);

}  // namespace vggplan::importers
