// SPDX-License-Identifier: MIT
#include "tally.hpp"

#include <algorithm>

namespace vggplan::planner {

void Tally::add(const Refusal& refusal, std::int64_t count, Miss miss, const std::string& example) {
  Tally one;
  one.rows_.emplace(std::pair(refusal.reason, refusal.message),
                    Rejection{refusal.reason, refusal.message, count, miss, example});
  merge(one);
}

bool Tally::count_if_further(const Refusal& refusal, Miss miss) {
  const auto row = rows_.find(std::pair(refusal.reason, refusal.message));
  if (row == rows_.end() || miss < row->second.nearest_miss) {
    return false;
  }
  ++row->second.count;
  return true;
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
