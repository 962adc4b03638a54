// SPDX-License-Identifier: MIT
// A model of PyTorch's caching allocator (c10/cuda/CUDACachingAllocator.cpp), to the byte.
//
// A request is rounded to 512 bytes and served by the best-fitting cached block of its pool and
// stream; failing that by cudaMalloc of a whole segment. Freed blocks merge with free neighbours of
// the same segment and stay cached. When cudaMalloc would exceed the capacity, every segment that is
// wholly free is given back and the request tried once more.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "vggplan/base/units.hpp"
#include "vggplan/memory/address_space.hpp"

namespace vggplan::memory {

/// Constants of c10/core/AllocatorConfig.h (2.11); data of a framework profile.
struct AllocatorRules {
  base::Bytes rounding{512};
  base::Bytes small_limit{1048576};  ///< largest rounded size of the small pool
  base::Bytes small_segment{2097152};
  base::Bytes large_segment{20971520};  ///< for requests below `large_request`
  base::Bytes large_request{10485760};  ///< from here on the segment is the request, rounded up
  base::Bytes large_rounding{2097152};
  base::Bytes split_remainder{1048576};  ///< the large pool splits where more than this is left over
  bool operator==(const AllocatorRules&) const = default;
};

struct AllocatorConfig {
  AllocatorRules rules{};
  AddressOrder addresses{AddressOrder::falling};
  bool expandable_segments{false};
  std::optional<base::Bytes> capacity{};  ///< bytes that may be reserved; none: no limit
};

class CachingAllocator {
 public:
  using Handle = std::uint32_t;
  static constexpr std::size_t kStreams = 4;

  explicit CachingAllocator(AllocatorConfig config);

  /// A block for `size` > 0 bytes on `stream` < kStreams, or nothing when out of memory even after
  /// giving back all cached segments.
  std::optional<Handle> allocate(base::Bytes size, std::size_t stream = 0);
  void free(Handle block);
  /// What the driver does beside the allocator moves later segments.
  AddressSpace& addresses() { return addresses_; }
  /// torch.cuda.empty_cache(): gives back every segment (or page) that is wholly free, of the first `streams`.
  void empty_cache(std::size_t streams = kStreams);

  [[nodiscard]] base::Bytes block_size(Handle block) const { return base::Bytes(blocks_[block].size); }
  [[nodiscard]] base::Bytes allocated() const { return base::Bytes(allocated_); }
  [[nodiscard]] base::Bytes reserved() const { return base::Bytes(reserved_); }
  /// torch.cuda.memory_stats()["num_alloc_retries"]: how often the cache was flushed for a request.
  [[nodiscard]] std::int64_t retries() const { return retries_; }
  /// Largest block that could be had without cudaMalloc, on `stream`.
  [[nodiscard]] base::Bytes largest_cached(std::size_t stream = 0) const;
  /// What cudaMalloc would be asked for, were no cached block large enough.
  [[nodiscard]] base::Bytes segment_for(base::Bytes requested) const;
  /// Sizes that went to cudaMalloc (or were mapped) so far, in order; recorded on request.
  void record_segments() { record_ = true; }
  [[nodiscard]] const std::vector<base::Bytes>& segments() const { return segments_; }

 private:
  static constexpr Handle kNone = static_cast<Handle>(-1);
  enum class State : std::uint8_t { used, free, unmapped };
  struct Block {
    std::int64_t size{};
    std::int64_t address{};
    Handle previous{kNone};
    Handle next{kNone};
    std::uint8_t pool{};
    State state{State::used};
  };
  /// Free blocks by (size, address). A sorted vector: pools hold tens of blocks, so shifting is cheap.
  struct FreeEntry {
    std::int64_t size{};
    std::int64_t address{};
    Handle block{};
    auto operator<=>(const FreeEntry&) const = default;
  };
  using FreeList = std::vector<FreeEntry>;

  [[nodiscard]] std::size_t pool_of(std::int64_t size, std::size_t stream) const;
  [[nodiscard]] static bool is_small(std::size_t pool) { return pool % 2 == 0; }
  [[nodiscard]] std::int64_t segment_size(std::int64_t size) const;
  [[nodiscard]] std::int64_t page_size(std::size_t pool) const;
  [[nodiscard]] bool within_capacity(std::int64_t more) const;
  [[nodiscard]] Handle new_block();
  [[nodiscard]] FreeEntry entry_of(Handle block) const;
  [[nodiscard]] FreeList::iterator find_free(Handle block);
  void insert_free(Handle block);
  void erase_free(Handle block);
  void replace_free(FreeList::iterator place, Handle block);
  Handle take_cached(std::size_t pool, std::int64_t size);
  Handle take_new(std::size_t pool, std::int64_t size);
  Handle reserve(std::size_t pool, std::int64_t size);
  Handle reserve_segment(std::size_t pool, std::int64_t size);
  Handle find_room(std::size_t pool, std::int64_t size);
  Handle extend(std::size_t pool, std::int64_t size);
  bool map(Handle unmapped, std::int64_t bytes);
  Handle cut(Handle block, std::int64_t size);
  void split(Handle block, std::int64_t size);
  void absorb_next(Handle block);
  [[nodiscard]] bool is_free(Handle block) const { return block != kNone && blocks_[block].state == State::free; }
  void release_segments(FreeList& list);
  void unmap_pages(FreeList& list, std::int64_t page);

  AllocatorConfig config_;
  std::vector<Block> blocks_{};
  std::array<FreeList, 2 * kStreams> free_{};
  std::array<Handle, 2 * kStreams> tails_{};  ///< expandable: first block of each pool's address range
  AddressSpace addresses_;
  std::int64_t allocated_{0};
  std::int64_t reserved_{0};
  std::int64_t retries_{0};
  bool record_{false};
  std::vector<base::Bytes> segments_{};
};

}  // namespace vggplan::memory
