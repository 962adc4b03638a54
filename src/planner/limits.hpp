// SPDX-License-Identifier: MIT
// The largest number for which something holds, when that is true for small numbers and false for large
// ones but not cleanly so in between.
#pragma once

#include <algorithm>
#include <cstdint>

namespace vggplan::planner {

/// How far beyond a bisected limit the neighbours are tried one by one. An allocator's "fits" flickers near
/// the limit only: rounding and fragmentation move the need by a few percent of the whole, so a sixteenth is
/// searched, and never fewer than eight.
constexpr std::int64_t guard_width(std::int64_t limit) { return std::max<std::int64_t>(8, limit / 16); }

/// Largest n in [1, ceiling] with holds(n), 0 if there is none. Bisects, then tries every n from the limit
/// found up to `guard_width` beyond it, and again beyond each n that held. Exact when no stretch of misses
/// between two hits is longer than the guard; always exact for ceiling <= 8.
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
