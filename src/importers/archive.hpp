// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "vggplan/base/result.hpp"

namespace vggplan::importers {

/// The graph of a .pt2 archive: models/NAME.json, or serialized_exported_program.json of PyTorch before 2.9. No other
/// entry is unpacked. Error (Fault::file) where the zip is broken, has no such entry, several, or one that is too
/// large.
base::Result<std::string> exported_program(std::string_view zip, const std::string& shown);

}  // namespace vggplan::importers
