// SPDX-License-Identifier: MIT
// What clouds call our GPUs.
#pragma once

#include <string>
#include <string_view>

namespace vggplan::launch {

/// As `accelerators` of SkyPilot has it. A GPU that is not in our table goes by its own name in capitals.
std::string skypilot_name(std::string_view gpu);
/// As `gpu` of dstack has it, which asks for the memory beside it.
std::string dstack_name(std::string_view gpu);

}  // namespace vggplan::launch
