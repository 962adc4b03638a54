// SPDX-License-Identifier: MIT
#pragma once

#include "vggplan/importers/importers.hpp"

namespace vggplan::importers {

base::Result<std::shared_ptr<const NetworkFile>> open_onnx(std::string_view bytes, const std::string& shown);

}  // namespace vggplan::importers
