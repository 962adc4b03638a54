// SPDX-License-Identifier: MIT
#include <algorithm>

#include "explore.hpp"

namespace vggplan::planner {

void Tally::add(const Refusal& refusal, Miss miss, const std::function<std::string()>& example) {
  auto [place, fresh] = rows_.try_emplace(std::pair(refusal.reason, refusal.message));
  Rejection& row = place->second;
  ++row.count;
  if (fresh || miss < row.nearest_miss) {
    row = {refusal.reason, refusal.message, row.count, miss, example()};
  }
}

void Tally::merge(const Tally& other) {
  for (const auto& [reason, row] : other.rows_) {
    auto [mine, fresh] = rows_.emplace(reason, row);
    if (fresh) {
      continue;
    }
    mine->second.count += row.count;
    if (row.nearest_miss < mine->second.nearest_miss) {
      mine->second.nearest_miss = row.nearest_miss;
      mine->second.example = row.example;
    }
  }
}

std::int64_t Tally::total() const {
  std::int64_t sum = 0;
  for (const auto& [reason, row] : rows_) {
    sum += row.count;
  }
  return sum;
}

std::vector<Rejection> Tally::list() const {
  std::vector<Rejection> rows;
  for (const auto& [reason, row] : rows_) {
    rows.push_back(row);
  }
  std::ranges::stable_sort(rows, std::ranges::greater{}, &Rejection::count);
  return rows;
}

}  // namespace vggplan::planner
