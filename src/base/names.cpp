// SPDX-License-Identifier: MIT
#include "vggplan/base/names.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

#include "synonyms.hpp"
#include "vggplan/base/ascii.hpp"

namespace vggplan::base {
namespace {

/// Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours cost one each.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) {
    row[j] = j;
  }
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::swap(before_last, last);
    std::swap(last, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substitution = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, substitution});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) {
        row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
    }
  }
  return row[b.size()];
}

/// "--Batch_Size" as "batch-size".
std::string plain(std::string_view word) {
  return with_dashes(lower(word.substr(std::min(word.find_first_not_of('-'), word.size()))));
}

/// The candidates that `word` stands for in other tools.
std::vector<std::string> meant(std::string_view word, std::span<const std::string> candidates) {
  constexpr std::size_t kLongest = 64;
  std::vector<std::string> names;
  const std::string wanted = word.size() <= kLongest ? plain(word) : "";
  for (const Synonym& row : synonyms()) {
    for (const std::string& candidate : candidates) {
      if (row.word == wanted && row.name == plain(candidate)) {
        names.push_back(candidate);
      }
    }
  }
  return names;
}

struct Ranked {
  std::size_t distance{};
  std::size_t index{};
};

}  // namespace

std::string with_dashes(std::string_view key) {
  std::string text(key);
  std::ranges::replace(text, '_', '-');
  return text;
}

std::string with_underscores(std::string_view flag) {
  std::string text(flag);
  std::replace(text.begin(), text.end(), '-', '_');
  return text;
}

std::vector<std::string> nearest(std::string_view word, std::span<const std::string> candidates, std::size_t most) {
  if (std::vector<std::string> names = meant(word, candidates); !names.empty()) {
    names.resize(std::min(most, names.size()));
    return names;
  }
  const std::string wanted = lower(word);
  // About one slip in three characters; more and the candidate is another word altogether.
  const std::size_t limit = (wanted.size() + 2) / 3;
  std::vector<Ranked> ranked;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const std::string candidate = lower(candidates[i]);
    const std::size_t longer = std::max(wanted.size(), candidate.size());
    const std::size_t shorter = std::min(wanted.size(), candidate.size());
    // A name that was broken off is as near as one slip: "h100-sxm" for "h100-sxm5-80gb".
    const bool broken_off = wanted.size() > 1 && wanted.size() < candidate.size() && candidate.starts_with(wanted);
    if (broken_off) {
      ranked.push_back({1, i});
    } else if (longer - shorter <= limit) {
      ranked.push_back({edit_distance(wanted, candidate), i});
    }
  }
  std::erase_if(ranked, [limit](const Ranked& r) { return r.distance > limit; });
  std::ranges::stable_sort(ranked, [](const Ranked& a, const Ranked& b) { return a.distance < b.distance; });
  std::vector<std::string> names;
  for (std::size_t i = 0; i < std::min(most, ranked.size()); ++i) {
    if (ranked[i].distance > ranked.front().distance + 1) {
      break;  // beside a near name a far one only distracts
    }
    names.push_back(candidates[ranked[i].index]);
  }
  return names;
}

std::string suggestion(std::string_view word, std::span<const std::string> candidates) {
  return suggestion(word, candidates,
                    candidates.empty() ? "" : fmt::format("choose from {}", fmt::join(candidates, ", ")));
}

std::string suggestion(std::string_view word, std::span<const std::string> candidates, std::string otherwise) {
  const std::vector<std::string> near = nearest(word, candidates);
  if (near.empty()) {
    return otherwise;
  }
  std::string list;
  for (std::size_t i = 0; i < near.size(); ++i) {
    const std::string_view separator = i == 0 ? "" : i + 1 == near.size() ? " or " : ", ";
    list += fmt::format("{}'{}'", separator, near[i]);
  }
  return fmt::format("did you mean {}?", list);
}

}  // namespace vggplan::base
