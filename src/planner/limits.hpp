// SPDX-License-Identifier: MIT
// The largest number for which something holds, when that is true for small numbers and false for large
// ones but not cleanly so in between.
#pragma once

#include <algorithm>
#include <cstdint>

namespace vggplan::planner {

/// How far beyond a bisected limit the neighbours are tried one by one. Rounding and fragmentation move an
/// allocator's need by a percent or so of the whole: its "fits" flickers near the limit, not far from it.
inline constexpr std::int64_t kGuard = 8;

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

/// Largest n in [1, ceiling] with holds(n), 0 if there is none. Bisects, then tries the next `kGuard` numbers.
/// Exact where everything up to some limit holds and nothing holds more than `kGuard` beyond it; and always
/// for a ceiling of `kGuard` or less.
template <class Holds>
std::int64_t largest_that(std::int64_t ceiling, Holds holds) {
  const std::int64_t good = bisected(ceiling, holds);
  for (std::int64_t n = std::min(ceiling, good + kGuard); n > good; --n) {
    if (holds(n)) {
      return n;
    }
  }
  return good;
}

/// The same where the answer is expected close to the ceiling: looks from there downwards first, so that
/// what it finds within the guard is exact.
template <class Holds>
std::int64_t largest_near(std::int64_t ceiling, Holds holds) {
  const std::int64_t below = std::max<std::int64_t>(0, ceiling - kGuard);
  for (std::int64_t n = ceiling; n > below; --n) {
    if (holds(n)) {
      return n;
    }
  }
  return largest_that(below, holds);
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
