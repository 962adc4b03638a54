// SPDX-License-Identifier: MIT
// docs/4024x3036.md, from runs of the program.
#pragma once

#include <string>

namespace vggplan::guide {

std::string memory_section();
std::string gpus_section();
std::string advice_section();
std::string data_section();
/// The whole file.
std::string document();

}  // namespace vggplan::guide
