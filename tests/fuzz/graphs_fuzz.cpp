// SPDX-License-Identifier: MIT
// Any text as a JSON graph: a network that can be counted, or an error that can be read.
#include "networks.hpp"

namespace vggplan::fuzz {

void graphs(const std::string& input) { read_any("{" + input); }

}  // namespace vggplan::fuzz
