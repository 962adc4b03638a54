// SPDX-License-Identifier: MIT
#include "vggplan/memory/allocator.hpp"

#include <algorithm>
#include <cassert>
#include <limits>

namespace vggplan::memory {

CachingAllocator::CachingAllocator(AllocatorConfig config) : config_(config), addresses_(config.addresses) {
  blocks_.reserve(1024);
  tails_.fill(kNone);
}

std::size_t CachingAllocator::pool_of(std::int64_t size, std::size_t stream) const {
  return 2 * stream + (size <= config_.rules.small_limit.count() ? 0 : 1);
}

std::int64_t CachingAllocator::segment_size(std::int64_t size) const {
  const AllocatorRules& rules = config_.rules;
  if (size <= rules.small_limit.count()) {
    return rules.small_segment.count();
  }
  return size < rules.large_request.count() ? rules.large_segment.count()
                                            : base::round_up(size, rules.large_rounding.count());
}

std::int64_t CachingAllocator::page_size(std::size_t pool) const {
  return is_small(pool) ? config_.rules.small_segment.count() : config_.rules.large_segment.count();
}

bool CachingAllocator::within_capacity(std::int64_t more) const {
  return !config_.capacity || reserved_ + more <= config_.capacity->count();
}

CachingAllocator::Handle CachingAllocator::new_block() {
  blocks_.emplace_back();
  return static_cast<Handle>(blocks_.size() - 1);
}

CachingAllocator::FreeEntry CachingAllocator::entry_of(Handle block) const {
  return {blocks_[block].size, blocks_[block].address, block};
}

CachingAllocator::FreeList::iterator CachingAllocator::find_free(Handle block) {
  FreeList& list = free_[blocks_[block].pool];
  const auto place = std::ranges::lower_bound(list, entry_of(block));
  assert(place != list.end() && place->block == block);
  return place;
}

void CachingAllocator::insert_free(Handle block) {
  FreeList& list = free_[blocks_[block].pool];
  const FreeEntry entry = entry_of(block);
  list.insert(std::lower_bound(list.begin(), list.end(), entry), entry);
}

void CachingAllocator::erase_free(Handle block) { free_[blocks_[block].pool].erase(find_free(block)); }

/// One walk over what lies between, where erasing and inserting would take two to the end.
void CachingAllocator::replace_free(FreeList::iterator place, Handle block) {
  FreeList& list = free_[blocks_[block].pool];
  const FreeEntry entry = entry_of(block);
  if (entry < *place) {
    const auto to = std::lower_bound(list.begin(), place, entry);
    std::move_backward(to, place, std::next(place));
    *to = entry;
  } else {
    const auto to = std::lower_bound(std::next(place), list.end(), entry);
    *std::move(std::next(place), to, place) = entry;
  }
}

std::optional<CachingAllocator::Handle> CachingAllocator::allocate(base::Bytes size, std::size_t stream) {
  const std::int64_t rounded = base::round_up(size.count(), config_.rules.rounding.count());
  const std::size_t pool = pool_of(rounded, stream);
  Handle block = take_cached(pool, rounded);
  if (block == kNone) {
    block = take_new(pool, rounded);
  }
  if (block == kNone) {
    return std::nullopt;
  }
  blocks_[block].state = State::used;
  allocated_ += blocks_[block].size;
  return block;
}

CachingAllocator::Handle CachingAllocator::take_cached(std::size_t pool, std::int64_t size) {
  FreeList& list = free_[pool];
  auto place = std::ranges::lower_bound(list, size, {}, &FreeEntry::size);
  if (place == list.end()) {
    return kNone;
  }
  if (config_.expandable_segments) {
    // A block that borders unmapped space counts with it, so that a larger block which cannot grow is
    // preferred; the walk ends at the first that counts no less (get_free_block).
    const auto expandable_size = [&](const FreeEntry& entry) {
      const Block& next = blocks_[blocks_[entry.block].next];
      return next.state == State::unmapped ? entry.size + next.size : entry.size;
    };
    for (auto next = std::next(place); next != list.end() && expandable_size(*next) < expandable_size(*place); ++next) {
      place = next;
    }
  }
  const Handle block = place->block;
  if (const Handle rest = cut(block, size); rest != kNone) {
    replace_free(place, rest);
  } else {
    list.erase(place);
  }
  return block;
}

CachingAllocator::Handle CachingAllocator::take_new(std::size_t pool, std::int64_t size) {
  Handle block = reserve(pool, size);
  if (block == kNone) {
    empty_cache();
    ++retries_;
    block = reserve(pool, size);
  }
  if (block != kNone) {
    split(block, size);
  }
  return block;
}

CachingAllocator::Handle CachingAllocator::reserve(std::size_t pool, std::int64_t size) {
  return config_.expandable_segments ? extend(pool, size) : reserve_segment(pool, size);
}

CachingAllocator::Handle CachingAllocator::reserve_segment(std::size_t pool, std::int64_t size) {
  const std::int64_t bytes = segment_size(size);
  if (!within_capacity(bytes)) {
    return kNone;
  }
  const Handle block = new_block();
  blocks_[block].size = bytes;
  blocks_[block].address = addresses_.place(base::Bytes(bytes));
  blocks_[block].pool = static_cast<std::uint8_t>(pool);
  reserved_ += bytes;
  if (record_) {
    segments_.emplace_back(bytes);
  }
  return block;
}

/// Expandable segments: the block where a stretch of free and unmapped space begins that has room for
/// `size`. It is an unmapped block, or the free one before it; the lowest wins (find_expandable_block).
/// A pool's range ends in unmapped space without end.
CachingAllocator::Handle CachingAllocator::find_room(std::size_t pool, std::int64_t size) {
  if (tails_[pool] == kNone) {
    tails_[pool] = new_block();
    Block& range = blocks_[tails_[pool]];
    range.size = std::numeric_limits<std::int64_t>::max();
    range.pool = static_cast<std::uint8_t>(pool);
    range.state = State::unmapped;
  }
  for (Handle at = tails_[pool];; at = blocks_[at].next) {
    if (blocks_[at].state != State::unmapped) {
      continue;
    }
    const Handle start = is_free(blocks_[at].previous) ? blocks_[at].previous : at;
    std::int64_t room{};
    for (Handle part = start; part != kNone && blocks_[part].state != State::used; part = blocks_[part].next) {
      room += blocks_[part].size;
    }
    if (room >= size) {
      return start;
    }
  }
}

/// Maps pages from the start of the stretch until its free block has `size` bytes, and yields that
/// block, off the free list. Where the capacity ends on the way, what was mapped stays cached.
CachingAllocator::Handle CachingAllocator::extend(std::size_t pool, std::int64_t size) {
  const Handle block = find_room(pool, size);
  while (!is_free(block) || blocks_[block].size < size) {
    const bool begun = is_free(block);
    const Handle hole = begun ? blocks_[block].next : block;
    const std::int64_t lacking = size - (blocks_[hole].address - blocks_[block].address);
    if (!map(hole, std::min(base::round_up(lacking, page_size(pool)), blocks_[hole].size))) {
      return kNone;
    }
    if (begun) {
      erase_free(block);
      absorb_next(block);
    }
    if (is_free(blocks_[block].next)) {
      erase_free(blocks_[block].next);
      absorb_next(block);
    }
    insert_free(block);
  }
  erase_free(block);
  return block;
}

/// Turns the first `bytes` of an unmapped block into a free one; the rest stays unmapped behind it.
bool CachingAllocator::map(Handle unmapped, std::int64_t bytes) {
  if (!within_capacity(bytes)) {
    return false;
  }
  split(unmapped, bytes);
  blocks_[unmapped].state = State::free;
  reserved_ += bytes;
  if (record_) {
    segments_.emplace_back(bytes);
  }
  return true;
}

/// Cuts a block down to `size` and yields the remainder, which keeps the block's state (unmapped) or becomes free, on
/// no list. The large pool keeps remainders of up to `split_remainder` uncut.
CachingAllocator::Handle CachingAllocator::cut(Handle block, std::int64_t size) {
  const std::int64_t remainder = blocks_[block].size - size;
  const bool unmapped = blocks_[block].state == State::unmapped;
  const bool fine = config_.expandable_segments || is_small(blocks_[block].pool);
  const bool worth =
      fine ? remainder >= config_.rules.rounding.count() : remainder > config_.rules.split_remainder.count();
  if (!worth) {
    return kNone;
  }
  const Handle rest = new_block();
  Block& low = blocks_[block];
  Block& high = blocks_[rest];
  high.size = remainder;
  high.address = low.address + size;
  high.pool = low.pool;
  high.previous = block;
  high.next = low.next;
  high.state = unmapped ? State::unmapped : State::free;
  if (low.next != kNone) {
    blocks_[low.next].previous = rest;
  }
  low.next = rest;
  low.size = size;
  return rest;
}

/// The same of a block that is on no list; a free remainder goes on one.
void CachingAllocator::split(Handle block, std::int64_t size) {
  if (const Handle rest = cut(block, size); is_free(rest)) {
    insert_free(rest);
  }
}

void CachingAllocator::absorb_next(Handle block) {
  Block& low = blocks_[block];
  const Handle gone = low.next;
  low.size += blocks_[gone].size;
  low.next = blocks_[gone].next;
  if (low.next != kNone) {
    blocks_[low.next].previous = block;
  }
}

void CachingAllocator::free(Handle block) {
  assert(blocks_[block].state == State::used);
  allocated_ -= blocks_[block].size;
  blocks_[block].state = State::free;
  FreeList& list = free_[blocks_[block].pool];
  std::optional<FreeList::iterator> neighbour;
  if (const Handle after = blocks_[block].next; is_free(after)) {
    neighbour = find_free(after);
    absorb_next(block);
  }
  if (const Handle before = blocks_[block].previous; is_free(before)) {
    if (neighbour) {
      list.erase(*neighbour);
    }
    neighbour = find_free(before);
    absorb_next(before);
    block = before;
  }
  if (neighbour) {
    replace_free(*neighbour, block);
  } else {
    insert_free(block);
  }
}

void CachingAllocator::empty_cache(std::size_t streams) {
  for (std::size_t pool = 0; pool < 2 * streams; ++pool) {
    if (config_.expandable_segments) {
      unmap_pages(free_[pool], page_size(pool));
    } else {
      release_segments(free_[pool]);
    }
  }
}

void CachingAllocator::release_segments(FreeList& list) {
  std::erase_if(list, [&](const FreeEntry& entry) {
    Block& block = blocks_[entry.block];
    const bool whole = block.previous == kNone && block.next == kNone;
    if (whole) {
      reserved_ -= block.size;
    }
    return whole;
  });
}

/// Gives back the whole pages inside each free block; what is left of a page at either end stays.
void CachingAllocator::unmap_pages(FreeList& list, std::int64_t page) {
  // NOLINTNEXTLINE(performance-unnecessary-copy-initialization): the list changes in the loop
  const FreeList before = list;
  for (const FreeEntry& entry : before) {
    const std::int64_t first = base::round_up(entry.address, page);
    const std::int64_t last = (entry.address + entry.size) / page * page;
    if (last <= first) {
      continue;
    }
    erase_free(entry.block);
    Handle middle = entry.block;
    const auto cut = [&](Handle block, std::int64_t size) {  // both parts stay in the state that they had
      blocks_[block].state = State::unmapped;
      split(block, size);
    };
    if (first > entry.address) {
      cut(middle, first - entry.address);
      blocks_[middle].state = State::free;
      insert_free(middle);
      middle = blocks_[middle].next;
    }
    if (entry.address + entry.size > last) {
      cut(middle, last - first);
      const Handle after = blocks_[middle].next;
      blocks_[after].state = State::free;
      insert_free(after);
    }
    blocks_[middle].state = State::unmapped;
    reserved_ -= last - first;
    if (blocks_[blocks_[middle].next].state == State::unmapped) {
      absorb_next(middle);
    }
    if (const Handle prev = blocks_[middle].previous; prev != kNone && blocks_[prev].state == State::unmapped) {
      absorb_next(prev);
    }
  }
}

base::Bytes CachingAllocator::segment_for(base::Bytes requested) const {
  return base::Bytes(segment_size(base::round_up(requested.count(), config_.rules.rounding.count())));
}

base::Bytes CachingAllocator::largest_cached(std::size_t stream) const {
  const FreeList& list = free_[2 * stream + 1];
  return base::Bytes(list.empty() ? 0 : list.back().size);
}

}  // namespace vggplan::memory
