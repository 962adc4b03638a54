// SPDX-License-Identifier: MIT
#pragma once

#include "vggplan/importers/importers.hpp"

namespace vggplan::importers {

base::Result<std::shared_ptr<const NetworkFile>> open_torch_export(std::string_view zip, const std::string& shown);

}  // namespace vggplan::importers
