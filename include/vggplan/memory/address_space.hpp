// SPDX-License-Identifier: MIT
// Where cudaMalloc puts segments. Addresses decide between equally large free blocks, and so, later, which
// request finds a cached block: with the recorded addresses every recorded process replays exactly.
//
// What recorded addresses show (75 processes on H200, driver 580; docs/how-memory-is-counted.md): the driver
// takes granules of 32 MiB at falling addresses, and serves a segment from the lowest rest of a granule that
// is large enough before it takes a new one. The context begins with a range for the local memory of threads
// above all that; when a kernel needs more of it, the driver takes a larger range elsewhere and
// gives the first one to segments.
#pragma once

#include <cstdint>
#include <vector>

#include "vggplan/base/units.hpp"

namespace vggplan::memory {

enum class AddressOrder {
  falling,  ///< as recorded
  rising,   ///< for comparison: how much depends on addresses
};

class AddressSpace {
 public:
  explicit AddressSpace(AddressOrder order);

  /// The address of a new segment, or of what the driver takes for itself. Addresses may be negative; only their
  /// order means something.
  std::int64_t place(base::Bytes segment);
  /// A kernel needs more local memory than the context began with.
  void move_local_memory();

 private:
  struct Rest {
    std::int64_t address{};
    std::int64_t size{};
  };
  AddressOrder order_;
  std::int64_t next_{0};
  std::vector<Rest> rests_;  ///< of granules
  bool local_memory_moved_{false};
};

}  // namespace vggplan::memory
