// SPDX-License-Identifier: MIT
// The largest number for which something holds. An allocator's "fits" is true for small numbers and false for
// large ones, but not cleanly so in between: fragmentation makes it flicker over a tenth of the range and more.
#pragma once

#include <algorithm>
#include <cstdint>

namespace vggplan::planner {

/// Up to so many numbers, all are tried from the ceiling downwards; of more, as many at equal distances.
inline constexpr std::int64_t kMostTried = 512;
/// Where the answer is one of many that are shown side by side.
inline constexpr std::int64_t kFewTried = 32;

/// Largest n in [1, ceiling] with holds(n), 0 if there is none: exact for a ceiling of `most_tried` or less.
/// Beyond, holds(n) is true, and numbers above are missed only where they hold in stretches shorter than
/// ceiling / most_tried. Quick where the answer is close to the ceiling.
template <class Holds>
std::int64_t largest_below(std::int64_t ceiling, Holds holds, std::int64_t most_tried = kMostTried) {
  std::int64_t base = 0;  // nothing above `ceiling` is looked at any more
  while (ceiling > base) {
    const std::int64_t stride = (ceiling - base + most_tried - 1) / most_tried;
    std::int64_t n = ceiling;
    while (n > base && !holds(n)) {
      n -= stride;
    }
    base = std::max(base, n);
    ceiling = std::min(ceiling, n + stride - 1);
  }
  return base;
}

/// Where holds(most) is true and smaller numbers may flicker: the largest n with holds(n) such that no number fails up
/// to it, and the next one fails. Looks at the upper half: at all numbers of it up to most = 256, at 32 of more. What
/// lies below is taken to hold where the lowest of these does, and what lies between two that hold.
template <class Holds>
std::int64_t last_of_all(std::int64_t most, Holds holds) {
  const std::int64_t stride = most <= 256 ? 1 : most / 2 / kFewTried;
  std::int64_t good = 0;
  for (std::int64_t n = most - most / 2; n < most; n += stride) {
    if (!holds(n)) {
      good = good > 0 ? good : last_of_all(largest_below(n - 1, holds, kFewTried), holds);
      while (holds(good + 1)) {  // ends before n
        ++good;
      }
      return good;
    }
    good = n;
  }
  return most;
}

/// An n in [0, ceiling] such that holds(n) or n = 0, and not holds(n + 1) or n = ceiling.
template <class Holds>
std::int64_t bisected(std::int64_t ceiling, Holds holds) {
  std::int64_t good = 0;
  std::int64_t bad = ceiling + 1;
  while (bad - good > 1) {
    const std::int64_t middle = good + (bad - good) / 2;
    (holds(middle) ? good : bad) = middle;
  }
  return good;
}

/// Largest n >= 1 with holds(n), for a condition that is true up to a limit and false beyond; 0 if holds(1)
/// is false. At most `most`. Gallops, so that the cost grows with the answer and not with `most`.
template <class Holds>
std::int64_t last_true(std::int64_t most, Holds holds) {
  std::int64_t good = 0;
  std::int64_t bad = 1;
  while (bad <= most && holds(bad)) {
    good = bad;
    bad *= 2;
  }
  bad = std::min(bad, most + 1);
  return good + bisected(bad - good - 1, [&](std::int64_t n) { return holds(good + n); });
}

}  // namespace vggplan::planner
