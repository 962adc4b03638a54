// SPDX-License-Identifier: MIT
// Any sequence of operations gives the same answers from the allocator and from its plain double.
//
// First byte: expandable segments, capacity. Then three bytes an operation: what, and a number.
#include <cstdint>
#include <optional>

#include "../support/allocator_duel.hpp"
#include "targets.hpp"

namespace vggplan::fuzz {

void allocator(const std::string& input) {
  constexpr std::int64_t kMiB = 1048576;
  constexpr std::size_t kMostOperations = 2000;  // keeps one input within a fraction of a second
  if (input.empty()) {
    return;
  }
  const auto byte = [&](std::size_t at) { return static_cast<unsigned>(static_cast<unsigned char>(input[at])); };
  const std::int64_t limit = byte(0) >> 1U;
  std::optional<std::int64_t> capacity;
  if (limit != 0) {
    capacity = limit * 8 * kMiB;
  }
  support::AllocatorDuel duel((byte(0) & 1U) != 0, capacity);
  for (std::size_t at = 1; at + 2 < input.size() && at < 3 * kMostOperations; at += 3) {
    const std::int64_t number = 1 + byte(at + 1) + 256 * byte(at + 2);
    const int stream = static_cast<int>((byte(at) >> 3U) % 4U);
    switch (byte(at) % 8U) {
      case 0: duel.empty_cache(); break;
      case 1:
      case 2:
      case 3: duel.free(static_cast<std::size_t>(number)); break;
      case 4: duel.allocate(number, stream); break;
      case 5: duel.allocate(number * 64, stream); break;
      case 6: duel.allocate(number * 512, stream); break;
      default: duel.allocate(number * 4096, stream); break;
    }
  }
  require(duel.difference().empty(), duel.difference());
}

}  // namespace vggplan::fuzz
