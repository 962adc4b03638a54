// SPDX-License-Identifier: MIT
// Any bytes as an archive of torch.export: a network that can be counted, or an error that can be read.
#include "networks.hpp"

namespace vggplan::fuzz {

void pt2(const std::string& input) { read_any("PK" + input); }

}  // namespace vggplan::fuzz
