// SPDX-License-Identifier: MIT
#pragma once

#include "vggplan/importers/importers.hpp"

namespace vggplan::importers {

base::Result<Imported> read_onnx(std::string_view bytes, const std::string& shown, graph::Shape image);

}  // namespace vggplan::importers
