// SPDX-License-Identifier: MIT
#include "catalog/gpu_names.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include "vggplan/base/ascii.hpp"
#include "vggplan/catalog/catalog.hpp"

namespace vggplan::catalog {

namespace {

using Words = std::vector<std::string>;

// Where a name leaves variants open, the one that most readers have: the form that cloud providers
// rent, and of two memory sizes the one that was sold first or, where both are common, the larger.
constexpr auto kAliases = std::to_array<GpuAlias>({
    {"a100", "a100-sxm4-80gb"},
    {"a100-40gb", "a100-sxm4-40gb"},
    {"a100-80gb", "a100-sxm4-80gb"},
    {"a100-pcie", "a100-pcie-80gb"},
    {"a100-sxm4", "a100-sxm4-80gb"},
    {"b200", "b200-sxm-180gb"},
    {"b300", "b300-sxm-288gb"},
    {"gh200", "gh200-96gb"},
    {"h100", "h100-sxm5-80gb"},
    {"h100-80gb", "h100-sxm5-80gb"},
    {"h200", "h200-sxm-141gb"},
    {"h200-141gb", "h200-sxm-141gb"},
    {"m40", "m40-24gb"},
    {"p100", "p100-pcie-16gb"},
    {"p100-16gb", "p100-pcie-16gb"},
    {"rtx-3080-laptop", "rtx-3080-laptop-16gb"},
    {"rtx-4060-ti", "rtx-4060-ti-16gb"},
    {"rtx-5060-ti", "rtx-5060-ti-16gb"},
    {"rtx-a2000", "rtx-a2000-12gb"},
    {"v100", "v100-sxm2-16gb"},
    {"v100-16gb", "v100-sxm2-16gb"},
    {"v100-32gb", "v100-sxm2-32gb"},
    {"v100-pcie", "v100-pcie-16gb"},
    {"v100-sxm2", "v100-sxm2-16gb"},
});

/// Words that drivers and shops add.
constexpr std::array<std::string_view, 5> kVendorWords{"nvidia", "tesla", "geforce", "gpu", "generation"};
/// Words that many names share: alone they name no GPU.
constexpr std::array<std::string_view, 13> kSharedWords{"rtx", "gtx", "quadro", "ti", "super",  "laptop", "pcie",
                                                        "nvl", "ada", "v",      "x",  "pascal", "xp"};
/// A 1080 is not a 1080 Ti, and a 3060 no laptop's: these may not be left out.
constexpr std::array<std::string_view, 3> kForms{"ti", "super", "laptop"};
/// What follows the four digits of a consumer card without a space, and what stands for it.
constexpr auto kEndings = std::to_array<std::pair<std::string_view, std::string_view>>({
    {"super", "super"},
    {"laptop", "laptop"},
    {"mobile", "laptop"},
    {"ada", "ada"},
    {"ti", "ti"},
    {"s", "super"},
    {"m", "laptop"},
});
constexpr std::array<std::string_view, 3> kSeries{"rtx", "gtx", "quadro"};

constexpr std::size_t kLongestName = 100;

template <std::size_t N>
bool contains(const std::array<std::string_view, N>& words, std::string_view word) {
  return std::ranges::find(words, word) != words.end();
}

bool digits(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), base::is_digit); }

bool is_memory(std::string_view word) { return word.ends_with("gb") && digits(word.substr(0, word.size() - 2)); }
bool is_form(std::string_view word) { return word.starts_with("sxm") && word.size() <= 4; }
bool names_chip(std::string_view word) { return !contains(kSharedWords, word) && !is_memory(word) && !is_form(word); }

/// "rtx4070tisuper" is rtx, 4070, ti and super; "3070m" is 3070 and laptop. Any other word is itself.
Words apart(const std::string& word) {
  std::string_view rest = word;
  Words words;
  const auto take = [&](std::string_view part, std::string_view meaning) {
    const bool found = rest.starts_with(part);
    if (found) {
      words.emplace_back(meaning);
      rest.remove_prefix(part.size());
    }
    return found;
  };
  static_cast<void>(std::any_of(kSeries.begin(), kSeries.end(), [&](const auto part) { return take(part, part); }));
  constexpr std::size_t kDigits = 4;
  if (!digits(rest.substr(0, kDigits)) || rest.size() < kDigits) {
    return {word};
  }
  take(rest.substr(0, kDigits), rest.substr(0, kDigits));
  while (!rest.empty() && !is_memory(rest)) {
    if (std::none_of(kEndings.begin(), kEndings.end(), [&](const auto& row) { return take(row.first, row.second); })) {
      return {word};
    }
  }
  static_cast<void>(rest.empty() || take(rest, rest));
  return words;
}

Words split(std::string_view text) {
  Words words;
  std::string word;
  const auto flush = [&] {
    if (word == "mobile" || word == "notebook") {
      words.emplace_back("laptop");
    } else if (!word.empty() && !contains(kVendorWords, word)) {
      const Words parts = apart(word);
      words.insert(words.end(), parts.begin(), parts.end());
    }
    word.clear();
  };
  for (const char c : text) {
    if (c == ' ' || c == '-' || c == '_' || c == '\t') {
      flush();
    } else {
      word += base::lower(c);
    }
  }
  flush();
  return words;
}

std::string join(const Words& words) { return fmt::format("{}", fmt::join(words, "")); }

/// "2080ti" and "rtx2080" for rtx-2080-ti: `asked` is neighbouring words written as one.
bool run_together(std::string_view asked, const Words& words) {
  for (std::size_t first = 0; first < words.size(); ++first) {
    std::string run;
    bool chip = false;
    for (std::size_t last = first; last < words.size() && run.size() < asked.size(); ++last) {
      run += words[last];
      chip = chip || names_chip(words[last]);
      if (chip && run == asked) {
        return true;
      }
    }
  }
  return false;
}

/// "sxm" stands for any SXM form, "80" and "80g" for "80gb".
bool stands_for(std::string_view asked, std::string_view word) {
  if (asked == word || (asked == "sxm" && is_form(word))) {
    return true;
  }
  const std::string_view number = asked.ends_with('g') ? asked.substr(0, asked.size() - 1) : asked;
  return is_memory(word) && digits(number) && number == word.substr(0, word.size() - 2);
}

/// Every word asked for stands for a word of its own in `name`.
bool all_in(const Words& asked, Words name) {
  return std::all_of(asked.begin(), asked.end(), [&](const std::string& word) {
    const auto found = std::ranges::find_if(name, [&](const auto& other) { return stands_for(word, other); });
    if (found == name.end()) {
      return false;
    }
    name.erase(found);
    return true;
  });
}

bool has(const Words& words, std::string_view word) { return std::ranges::find(words, word) != words.end(); }

bool leaves_out_form(const Words& asked, const Words& name) {
  return std::ranges::any_of(kForms, [&](const std::string_view form) { return has(name, form) && !has(asked, form); });
}

bool any_names_chip(const Words& asked, const Words& name) {
  return std::ranges::any_of(asked, [&](const std::string& word) { return names_chip(word) && has(name, word); });
}

std::optional<std::string> default_of(const Words& asked, const std::vector<std::string>& candidates) {
  for (const GpuAlias& row : kAliases) {
    const Words alias = split(row.alias);
    const bool known = std::find(candidates.begin(), candidates.end(), row.name) != candidates.end();
    if (known && (join(alias) == join(asked) || all_in(asked, alias))) {
      return std::string(row.name);
    }
  }
  return std::nullopt;
}

NameMatch choose(const Words& asked, std::vector<std::string> candidates) {
  if (candidates.empty()) {
    return {};
  }
  // An RTX 4000 may be the card of Ada or that of another generation.
  const bool sure = has(asked, "ada") || !has(split(candidates.front()), "ada");
  if (candidates.size() == 1 && sure) {
    return {NameMatch::Kind::found, candidates.front(), {}};
  }
  if (auto chosen = default_of(asked, candidates)) {
    std::erase(candidates, *chosen);
    return {NameMatch::Kind::found, std::move(*chosen), std::move(candidates)};
  }
  return {NameMatch::Kind::ambiguous, "", std::move(candidates)};
}

}  // namespace

std::span<const GpuAlias> gpu_aliases() { return kAliases; }

std::optional<NameAndSize> without_memory(std::string_view text) {
  if (text.size() > kLongestName) {
    return std::nullopt;
  }
  NameAndSize found;
  for (const std::string& word : split(text)) {
    if (!is_memory(word)) {
      found.name += (found.name.empty() ? "" : "-") + word;
    } else if (std::exchange(found.gigabytes, std::strtoll(word.c_str(), nullptr, 10)) != 0) {
      return std::nullopt;
    }
  }
  return found.gigabytes == 0 || found.name.empty() ? std::nullopt : std::optional(found);
}

bool is_laptop(std::string_view name) { return has(split(name), "laptop"); }

NameMatch match_gpu_name(std::string_view text, std::span<const std::string> names) {
  const Words asked = text.size() <= kLongestName ? split(text) : Words{};
  if (asked.empty()) {
    return {};
  }
  std::vector<std::string> candidates;
  for (const std::string& name : names) {
    const Words words = split(name);
    if (join(asked) == join(words) || (asked.size() == words.size() && all_in(asked, words))) {
      return {NameMatch::Kind::found, name, {}};
    }
    const bool fits = (all_in(asked, words) && any_names_chip(asked, words)) || run_together(join(asked), words);
    if (fits && !leaves_out_form(asked, words)) {
      candidates.push_back(name);
    }
  }
  return choose(asked, std::move(candidates));
}

}  // namespace vggplan::catalog
