// SPDX-License-Identifier: MIT
// All groups explored that can matter, and what came of it.
#pragma once

#include <vector>

#include "explore.hpp"

namespace vggplan::planner {

struct Search {
  std::vector<Explored> groups{};
  std::vector<Contender> contenders{};  ///< evaluated and within every constraint
  std::vector<Contender> missed{};      ///< evaluated, but beyond a constraint
  Tally rejected{};                     ///< with the constraints' share
  std::int64_t enumerated{};            ///< evaluated, missed and rejected: counted by itself
};

/// Candidates whose upper end fits, in preference to any others; and where none keeps the constraints, all that miss
/// them. The answer does not depend on the number of threads.
Search search(const PlanRequest& request, const estimate::Engine& engine);

/// Group that misses by the fewest bytes, where none has a candidate that fits.
const Explored* nearest_miss(const Search& search);

}  // namespace vggplan::planner
