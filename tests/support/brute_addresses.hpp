// SPDX-License-Identifier: MIT
// Where the driver puts segments, a second time: intervals that nothing uses yet, in a map from low to high.
#pragma once

#include <cstdint>
#include <map>
#include <utility>

#include "sizes.hpp"

namespace vggplan::support {

class BruteAddresses {
 public:
  explicit BruteAddresses(bool rising = false) : rising_(rising) {}

  /// Granules of 32 MiB at falling addresses; the unused top of a granule serves later segments, lowest first.
  std::int64_t place(std::int64_t bytes) {
    if (rising_) {
      return std::exchange(highest_, highest_ + bytes);
    }
    for (const auto& [begin, end] : unused_) {
      if (end - begin >= bytes) {
        return take(begin, end, bytes);
      }
    }
    const std::int64_t granules = (bytes + 32 * kMiB - 1) / (32 * kMiB);
    lowest_ -= granules * 32 * kMiB;
    return take(lowest_, lowest_ + granules * 32 * kMiB, bytes);
  }
  /// The driver gives its first range to segments.
  void open_local_memory() {
    if (!std::exchange(opened_, true)) {
      unused_.emplace(0, 414 * kMiB);
    }
  }

 private:
  std::int64_t take(std::int64_t begin, std::int64_t end, std::int64_t bytes) {
    unused_.erase(begin);
    if (begin + bytes < end) {
      unused_.emplace(begin + bytes, end);
    }
    return begin;
  }

  bool rising_;
  bool opened_ = false;
  std::int64_t highest_ = 0;
  std::int64_t lowest_ = 0;
  std::map<std::int64_t, std::int64_t> unused_{{414 * kMiB, 416 * kMiB}, {446 * kMiB, 466 * kMiB}};
};

}  // namespace vggplan::support
