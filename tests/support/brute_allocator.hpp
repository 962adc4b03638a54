// SPDX-License-Identifier: MIT
// PyTorch's caching allocator a second time, as plainly as it can be said: segments are lists of byte
// intervals, and every question is answered by looking at all of them. Shares no code with
// vggplan::memory, not even the constants.
#pragma once

#include <cstdint>
#include <limits>
#include <list>
#include <optional>
#include <vector>

#include "brute_addresses.hpp"
#include "brute_segments.hpp"

namespace vggplan::support {

class BruteAllocator {
 public:
  BruteAllocator(bool expandable, std::optional<std::int64_t> capacity, bool rising = false)
      : expandable_(expandable), capacity_(capacity), addresses_(rising) {}

  /// The block as a number that `free` takes; nothing when out of memory.
  std::optional<std::int64_t> allocate(std::int64_t wanted, int stream) {
    const std::int64_t size = (wanted + 511) / 512 * 512;
    Found found = best_fit(size, stream);
    if (found.segment == nullptr) {
      found = fresh(size, stream);
    }
    if (found.segment == nullptr) {
      empty_cache();
      ++retries;
      found = fresh(size, stream);
    }
    if (found.segment == nullptr) {
      return std::nullopt;
    }
    return occupy(*found.segment, found.piece, size);
  }

  void free(std::int64_t block) {
    for (Segment& segment : segments_) {
      for (Piece& piece : segment.pieces) {
        if (piece.is == Is::used && piece.block == block) {
          piece.is = Is::free;
          brute_join(segment);
          return;
        }
      }
    }
  }

  /// Of the first `streams`.
  void empty_cache(int streams = 4) {
    for (Segment& segment : segments_) {
      if (expandable_ && segment.stream < streams) {
        brute_unmap_free_pages(segment);
      }
    }
    segments_.remove_if([&](const Segment& segment) {
      return !expandable_ && segment.stream < streams && segment.pieces.size() == 1 && segment.pieces[0].is == Is::free;
    });
  }

  BruteAddresses& addresses() { return addresses_; }

  [[nodiscard]] std::int64_t size_of(std::int64_t block) const {
    std::int64_t size = 0;
    each([&](const Segment&, const Piece& piece) {
      if (piece.is == Is::used && piece.block == block) {
        size = piece.end - piece.begin;
      }
    });
    return size;
  }
  [[nodiscard]] std::int64_t allocated() const {
    return sum([](const Piece& piece) { return piece.is == Is::used; });
  }
  [[nodiscard]] std::int64_t reserved() const {
    return sum([](const Piece& piece) { return piece.is != Is::unmapped; });
  }
  [[nodiscard]] std::int64_t largest_cached(int stream) const {
    std::int64_t largest = 0;
    each([&](const Segment& segment, const Piece& piece) {
      if (piece.is == Is::free && !segment.small && segment.stream == stream) {
        largest = std::max(largest, piece.end - piece.begin);
      }
    });
    return largest;
  }
  /// Pieces of every segment join without gap or overlap.
  [[nodiscard]] bool sound() const {
    for (const Segment& segment : segments_) {
      for (std::size_t i = 1; i < segment.pieces.size(); ++i) {
        const Piece& left = segment.pieces[i - 1];
        const Piece& right = segment.pieces[i];
        if (left.end != right.begin || left.begin >= left.end || (left.is == right.is && left.is != Is::used)) {
          return false;
        }
      }
    }
    return true;
  }

  std::int64_t retries = 0;
  std::vector<std::int64_t> grown{};  ///< bytes of each cudaMalloc or mapping, in order

 private:
  using Is = BruteIs;
  using Piece = BrutePiece;
  using Segment = BruteSegment;
  struct Found {
    Segment* segment{nullptr};
    std::size_t piece{};
  };

  template <class Visit>
  void each(Visit visit) const {
    for (const Segment& segment : segments_) {
      for (const Piece& piece : segment.pieces) {
        visit(segment, piece);
      }
    }
  }
  template <class Which>
  [[nodiscard]] std::int64_t sum(Which which) const {
    std::int64_t bytes = 0;
    each([&](const Segment&, const Piece& piece) { bytes += which(piece) ? piece.end - piece.begin : 0; });
    return bytes;
  }
  [[nodiscard]] bool fits(std::int64_t more) const { return !capacity_ || reserved() + more <= *capacity_; }

  /// The smallest free piece that is large enough, at the lowest address. With expandable segments the
  /// walk goes on to the next larger one for as long as that counts as less.
  Found best_fit(std::int64_t size, int stream) {
    Found best = next_larger(size, std::numeric_limits<std::int64_t>::min(), size, stream);
    while (expandable_ && best.segment != nullptr) {
      const Piece& piece = best.segment->pieces[best.piece];
      const Found next = next_larger(piece.end - piece.begin, piece.begin, size, stream);
      if (next.segment == nullptr || brute_worth(*next.segment, next.piece) >= brute_worth(*best.segment, best.piece)) {
        break;
      }
      best = next;
    }
    return best;
  }

  /// Of the pieces behind (size, address) in that order, the first.
  Found next_larger(std::int64_t than, std::int64_t address, std::int64_t size, int stream) {
    Found best;
    for (Segment& segment : segments_) {
      for (std::size_t i = 0; i < segment.pieces.size(); ++i) {
        const Piece& piece = segment.pieces[i];
        const std::int64_t has = piece.end - piece.begin;
        const bool here = segment.stream == stream && segment.small == (size <= kMiB) && piece.is == Is::free;
        if (!here || has < than || (has == than && piece.begin <= address)) {
          continue;
        }
        if (best.segment != nullptr) {
          const Piece& other = best.segment->pieces[best.piece];
          const std::int64_t others = other.end - other.begin;
          if (has > others || (has == others && piece.begin > other.begin)) {
            continue;
          }
        }
        best = {&segment, i};
      }
    }
    return best;
  }

  Found fresh(std::int64_t size, int stream) { return expandable_ ? grow(size, stream) : cuda_malloc(size, stream); }

  Found cuda_malloc(std::int64_t size, int stream) {
    std::int64_t bytes = 2 * kMiB;
    if (size > kMiB) {
      bytes = size < 10 * kMiB ? 20 * kMiB : (size + 2 * kMiB - 1) / (2 * kMiB) * (2 * kMiB);
    }
    if (!fits(bytes)) {
      return {};
    }
    const std::int64_t begin = addresses_.place(bytes);
    segments_.push_back({size <= kMiB, stream, {{begin, begin + bytes, Is::free, -1}}});
    grown.push_back(bytes);
    return {&segments_.back(), 0};
  }

  Segment& range_of(bool small, int stream) {
    for (Segment& segment : segments_) {
      if (segment.small == small && segment.stream == stream) {
        return segment;
      }
    }
    constexpr std::int64_t kVast = std::int64_t{1} << 50;
    segments_.push_back({small, stream, {{0, kVast, Is::unmapped, -1}}});
    return segments_.back();
  }

  /// From the first stretch of free and unmapped pieces that is long enough (it starts at an unmapped
  /// piece, or at the free one before it), pages are mapped from the left until `size` bytes are there.
  Found grow(std::int64_t size, int stream) {
    const bool small = size <= kMiB;
    const std::int64_t page = small ? 2 * kMiB : 20 * kMiB;
    Segment& segment = range_of(small, stream);
    const std::optional<std::int64_t> start = brute_stretch(segment, size);
    if (!start) {
      return {};
    }
    while (true) {
      std::size_t at = 0;
      while (segment.pieces[at].begin != *start) {
        ++at;
      }
      Piece& piece = segment.pieces[at];
      if (piece.is == Is::free && piece.end - piece.begin >= size) {
        return {&segment, at};
      }
      Piece& hole = piece.is == Is::unmapped ? piece : segment.pieces[at + 1];
      const std::int64_t lacking = size - (hole.begin - *start);
      const std::int64_t bytes = std::min((lacking + page - 1) / page * page, hole.end - hole.begin);
      if (!fits(bytes)) {
        return {};
      }
      grown.push_back(bytes);
      const Piece rest{hole.begin + bytes, hole.end, Is::unmapped, -1};
      hole.end = hole.begin + bytes;
      hole.is = Is::free;
      if (rest.begin < rest.end) {
        segment.pieces.insert(segment.pieces.begin() + (&hole - segment.pieces.data()) + 1, rest);
      }
      brute_join(segment);
    }
  }

  std::int64_t occupy(Segment& segment, std::size_t at, std::int64_t size) {
    const Piece whole = segment.pieces[at];
    const std::int64_t over = whole.end - whole.begin - size;
    const bool split = segment.small || expandable_ ? over >= 512 : over > kMiB;
    Piece& piece = segment.pieces[at];
    piece.is = Is::used;
    piece.block = ++last_block_;
    if (split) {
      piece.end = piece.begin + size;
      segment.pieces.insert(segment.pieces.begin() + static_cast<std::ptrdiff_t>(at) + 1,
                            Piece{whole.begin + size, whole.end, Is::free, -1});
    }
    return last_block_;
  }

  bool expandable_;
  std::optional<std::int64_t> capacity_;
  std::list<Segment> segments_{};
  BruteAddresses addresses_;
  std::int64_t last_block_ = 0;
};

}  // namespace vggplan::support
