// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "space.hpp"
#include "vggplan/planner/plan.hpp"

namespace vggplan::planner {

/// Why candidates were put aside, with how many and the nearest miss. Ordered by reason, and by message where one
/// reason has several.
class Tally {
 public:
  void add(const Refusal& refusal, std::int64_t count, Miss miss, const std::string& example);
  /// One more that misses no closer than another of its reason: nothing but the count changes. False where it is
  /// to be added.
  bool count_if_further(const Refusal& refusal, Miss miss);
  void merge(const Tally& other);
  [[nodiscard]] std::int64_t total() const;
  [[nodiscard]] std::vector<Rejection> list() const;  ///< most frequent first

 private:
  std::map<std::pair<std::string, std::string>, Rejection> rows_{};
};

}  // namespace vggplan::planner
