// SPDX-License-Identifier: MIT
// The largest number for which something holds, when that is true for small numbers and false for large
// ones but not cleanly so in between.
#pragma once

#include <algorithm>
#include <cstdint>

namespace vggplan::planner {

/// How far beyond a bisected limit the neighbours are tried one by one. Rounding and fragmentation move an
/// allocator's need by a percent or so of the whole: its "fits" flickers near the limit, not far from it.
constexpr std::int64_t guard_width(std::int64_t limit) { return std::clamp<std::int64_t>(limit / 16, 8, 16); }

/// Largest n in [1, ceiling] with holds(n), 0 if there is none. Bisects, then tries every n from the limit
/// found up to `guard_width` beyond it, and again beyond each n that held. Exact when no stretch of misses
/// between two hits is longer than the guard, and so always for a ceiling
/// of 8 or less.
template <class Holds>
std::int64_t largest_that(std::int64_t ceiling, Holds holds) {
  std::int64_t good = 0;
  std::int64_t bad = ceiling + 1;
  while (bad - good > 1) {
    const std::int64_t middle = good + (bad - good) / 2;
    (holds(middle) ? good : bad) = middle;
  }
  std::int64_t last = std::min(ceiling, good + guard_width(good));
  for (std::int64_t n = good + 1; n <= last; ++n) {
    if (holds(n)) {
      good = n;
      last = std::min(ceiling, good + guard_width(good));
    }
  }
  return good;
}

/// The same where the answer is expected close to the ceiling: looks from there downwards first, so that
/// what it finds within the guard is exact.
template <class Holds>
std::int64_t largest_near(std::int64_t ceiling, Holds holds) {
  for (std::int64_t n = ceiling; n > std::max<std::int64_t>(0, ceiling - guard_width(ceiling)); --n) {
    if (holds(n)) {
      return n;
    }
  }
  return largest_that(std::max<std::int64_t>(0, ceiling - guard_width(ceiling)), holds);
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
  while (bad - good > 1) {
    const std::int64_t middle = good + (bad - good) / 2;
    (holds(middle) ? good : bad) = middle;
  }
  return good;
}

}  // namespace vggplan::planner
