// SPDX-License-Identifier: MIT
#include "vggplan/memory/address_space.hpp"

#include <algorithm>
#include <utility>

namespace vggplan::memory {

namespace {

using base::Bytes;
using base::kMiB;

constexpr Bytes kGranule = kMiB * 32;
/// The range that the context of an H200 gives up, from address 0 up.
constexpr Bytes kLocalMemory = kMiB * 414;
/// Above it lie the first segment of the small pool and the first of the large one.
constexpr Bytes kFirstSmall = kMiB * 2;
constexpr Bytes kFirstLarge = kMiB * 20;

}  // namespace

AddressSpace::AddressSpace(AddressOrder order)
    : order_(order),
      rests_{{kLocalMemory.count(), kFirstSmall.count()}, {(kLocalMemory + kGranule).count(), kFirstLarge.count()}} {}

std::int64_t AddressSpace::place(Bytes segment) {
  const std::int64_t bytes = segment.count();
  if (order_ == AddressOrder::rising) {
    next_ += bytes;
    return next_ - bytes;
  }
  const auto lowest_with_room = [&](const Rest& rest) { return std::pair(rest.size < bytes, rest.address); };
  auto lowest = std::ranges::min_element(rests_, {}, lowest_with_room);
  if (lowest->size < bytes) {
    const std::int64_t taken = base::round_up(segment, kGranule).count();
    next_ -= taken;
    lowest = rests_.insert(rests_.end(), {next_, taken});
  }
  const std::int64_t address = lowest->address;
  lowest->address += bytes;
  lowest->size -= bytes;
  return address;
}

void AddressSpace::move_local_memory() {
  if (!std::exchange(local_memory_moved_, true)) {
    rests_.push_back({0, kLocalMemory.count()});
  }
}

}  // namespace vggplan::memory
