// SPDX-License-Identifier: MIT
// Any sequence of operations gives the same answers from the allocator and from its plain double.
//
// First byte: expandable segments, capacity. Then three bytes an operation: what, and a number.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <optional>

#include "../support/allocator_duel.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::int64_t kMiB = 1048576;
  constexpr std::size_t kMostOperations = 2000;  // keeps one input within a fraction of a second
  if (size == 0) {
    return 0;
  }
  const std::int64_t limit = data[0] >> 1U;
  std::optional<std::int64_t> capacity;
  if (limit != 0) {
    capacity = limit * 8 * kMiB;
  }
  vggplan::support::AllocatorDuel duel((data[0] & 1U) != 0, capacity);
  for (std::size_t at = 1; at + 2 < size && at < 3 * kMostOperations; at += 3) {
    const std::int64_t number = 1 + data[at + 1] + 256 * data[at + 2];
    const unsigned what = data[at] % 8U;
    const int stream = (data[at] >> 3U) % 4;
    switch (what) {
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
  if (!duel.difference().empty()) {
    std::cerr << duel.difference() << '\n';
    std::abort();
  }
  return 0;
}
