// SPDX-License-Identifier: MIT
// Any bytes as an archive of torch.export: a network that can be counted, or an error that can be read.
#include "networks.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return vggplan::test::read_any("PK" + std::string(reinterpret_cast<const char*>(data), size));
}
