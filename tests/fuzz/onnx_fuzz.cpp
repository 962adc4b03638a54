// SPDX-License-Identifier: MIT
// Any bytes as an ONNX file: a network that can be counted, or an error that can be read.
#include "networks.hpp"

namespace vggplan::fuzz {

void onnx(const std::string& input) { read_any(input); }

}  // namespace vggplan::fuzz
