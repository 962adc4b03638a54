// SPDX-License-Identifier: MIT
// docs/accuracy.md, from the same figures that the accuracy tests bound.
#pragma once

#include <string>

namespace vggplan::accuracy {

std::string memory_section();
std::string time_section();
std::string network_section();
/// The whole file.
std::string document();

}  // namespace vggplan::accuracy
