// SPDX-License-Identifier: MIT
#include "catalog/gpu_names.hpp"

#include <algorithm>
#include <array>

#include "vggplan/base/ascii.hpp"
#include "vggplan/catalog/catalog.hpp"

namespace vggplan::catalog {

namespace {

using Words = std::vector<std::string>;

// Where a name leaves variants open, the one that most readers have: the form that cloud providers
// rent, and of two memory sizes the one that was sold first or, where both are common, the larger.
constexpr std::array<GpuAlias, 17> kAliases{{
    {"a100", "a100-sxm4-80gb"},
    {"a100-40gb", "a100-sxm4-40gb"},
    {"a100-80gb", "a100-sxm4-80gb"},
    {"a100-pcie", "a100-pcie-80gb"},
    {"a100-sxm4", "a100-sxm4-80gb"},
    {"b200", "b200-sxm-180gb"},
    {"h100", "h100-sxm5-80gb"},
    {"h100-80gb", "h100-sxm5-80gb"},
    {"h200", "h200-sxm-141gb"},
    {"h200-141gb", "h200-sxm-141gb"},
    {"p100", "p100-pcie-16gb"},
    {"p100-16gb", "p100-pcie-16gb"},
    {"v100", "v100-sxm2-16gb"},
    {"v100-16gb", "v100-sxm2-16gb"},
    {"v100-32gb", "v100-sxm2-32gb"},
    {"v100-pcie", "v100-pcie-16gb"},
    {"v100-sxm2", "v100-sxm2-16gb"},
}};

constexpr std::array<std::string_view, 3> kVendorWords{"nvidia", "tesla", "geforce"};
/// Words that many names share: alone they name no GPU.
constexpr std::array<std::string_view, 11> kSharedWords{"rtx", "gtx", "quadro", "ti", "pcie",  "nvl",
                                                        "ada", "v",   "x",      "xp", "pascal"};

template <std::size_t N>
bool contains(const std::array<std::string_view, N>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool digits(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), base::is_digit); }

bool is_memory(std::string_view word) { return word.ends_with("gb") && digits(word.substr(0, word.size() - 2)); }
bool is_form(std::string_view word) { return word.starts_with("sxm") && word.size() <= 4; }
bool names_chip(std::string_view word) { return !contains(kSharedWords, word) && !is_memory(word) && !is_form(word); }

Words split(std::string_view text) {
  Words words;
  std::string word;
  const auto flush = [&] {
    if (!word.empty() && !contains(kVendorWords, word)) {
      words.push_back(word);
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

std::string join(const Words& words) {
  std::string out;
  for (const std::string& word : words) {
    out += word;
  }
  return out;
}

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
    const auto found =
        std::find_if(name.begin(), name.end(), [&](const auto& other) { return stands_for(word, other); });
    if (found == name.end()) {
      return false;
    }
    name.erase(found);
    return true;
  });
}

/// A 1080 is not a 1080 Ti: this word may not be left out.
bool leaves_out_ti(const Words& asked, const Words& name) {
  return std::find(name.begin(), name.end(), "ti") != name.end() &&
         std::none_of(asked.begin(), asked.end(), [](const std::string& word) { return word.ends_with("ti"); });
}

bool any_names_chip(const Words& asked, const Words& name) {
  return std::any_of(asked.begin(), asked.end(), [&](const std::string& word) {
    return names_chip(word) && std::find(name.begin(), name.end(), word) != name.end();
  });
}

std::optional<std::string> default_of(const Words& asked, const std::vector<std::string>& candidates) {
  for (const GpuAlias& row : kAliases) {
    const Words alias = split(row.alias);
    const bool known = std::find(candidates.begin(), candidates.end(), row.name) != candidates.end();
    if (known && (join(alias) == join(asked) || (alias.size() == asked.size() && all_in(asked, alias)))) {
      return std::string(row.name);
    }
  }
  return std::nullopt;
}

NameMatch choose(const Words& asked, std::vector<std::string> candidates) {
  if (candidates.empty()) {
    return {};
  }
  if (candidates.size() == 1) {
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

NameMatch match_gpu_name(std::string_view text, std::span<const std::string> names) {
  constexpr std::size_t kLongestName = 100;
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
    if (fits && !leaves_out_ti(asked, words)) {
      candidates.push_back(name);
    }
  }
  return choose(asked, std::move(candidates));
}

}  // namespace vggplan::catalog
