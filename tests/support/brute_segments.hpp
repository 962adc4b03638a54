// SPDX-License-Identifier: MIT
// Segments of the plain allocator: byte intervals that are used, free or unmapped.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sizes.hpp"

namespace vggplan::support {

enum class BruteIs { used, free, unmapped };

struct BrutePiece {
  std::int64_t begin{};
  std::int64_t end{};
  BruteIs is{BruteIs::free};
  std::int64_t block{-1};
};

struct BruteSegment {
  bool small{};
  int stream{};
  std::vector<BrutePiece> pieces{};
};

inline void brute_join(BruteSegment& segment) {
  for (std::size_t i = 0; i + 1 < segment.pieces.size();) {
    if (segment.pieces[i].is == segment.pieces[i + 1].is && segment.pieces[i].is != BruteIs::used) {
      segment.pieces[i].end = segment.pieces[i + 1].end;
      segment.pieces.erase(segment.pieces.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    } else {
      ++i;
    }
  }
}

/// Size that a free piece counts as when candidates are compared: with the unmapped bytes behind it.
inline std::int64_t brute_worth(const BruteSegment& segment, std::size_t i) {
  const bool grows = i + 1 < segment.pieces.size() && segment.pieces[i + 1].is == BruteIs::unmapped;
  return (grows ? segment.pieces[i + 1].end : segment.pieces[i].end) - segment.pieces[i].begin;
}

/// Start of the first stretch of free and unmapped pieces that is long enough.
inline std::optional<std::int64_t> brute_stretch(const BruteSegment& segment, std::int64_t size) {
  const auto open = [&](std::size_t i) { return i < segment.pieces.size() && segment.pieces[i].is != BruteIs::used; };
  for (std::size_t i = 0; i < segment.pieces.size(); ++i) {
    if (segment.pieces[i].is != BruteIs::unmapped) {
      continue;
    }
    const std::size_t first = i > 0 && open(i - 1) ? i - 1 : i;
    std::size_t last = first;
    while (open(last)) {
      ++last;
    }
    if (segment.pieces[last - 1].end - segment.pieces[first].begin >= size) {
      return segment.pieces[first].begin;
    }
  }
  return std::nullopt;
}

inline void brute_unmap_free_pages(BruteSegment& segment) {
  const std::int64_t page = segment.small ? 2 * kMiB : 20 * kMiB;
  std::vector<BrutePiece> pieces;
  for (const BrutePiece& piece : segment.pieces) {
    const std::int64_t first = (piece.begin + page - 1) / page * page;
    const std::int64_t last = piece.end / page * page;
    if (piece.is != BruteIs::free || first >= last) {
      pieces.push_back(piece);
      continue;
    }
    for (const BrutePiece& part :
         {BrutePiece{piece.begin, first, BruteIs::free, -1}, BrutePiece{first, last, BruteIs::unmapped, -1},
          BrutePiece{last, piece.end, BruteIs::free, -1}}) {
      if (part.begin < part.end) {
        pieces.push_back(part);
      }
    }
  }
  segment.pieces = pieces;
  brute_join(segment);
}

}  // namespace vggplan::support
