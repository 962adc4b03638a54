// SPDX-License-Identifier: MIT
// What is said of a GPU that is not in the catalogue.
#pragma once

#include <span>
#include <string_view>

#include "vggplan/base/result.hpp"
#include "vggplan/hardware/hardware.hpp"

namespace vggplan::catalog {

/// A card that exists is answered with those nearest to it by memory and speed, a slip of the keyboard with near names.
base::Diagnostic unknown_gpu(std::string_view name, std::string_view place, std::span<const hardware::Gpu> known,
                             std::span<const hardware::OtherGpu> others);

}  // namespace vggplan::catalog
