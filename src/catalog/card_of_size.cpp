// SPDX-License-Identifier: MIT
#include "catalog/card_of_size.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <utility>

#include "vggplan/base/ascii.hpp"

namespace vggplan::catalog {

namespace {

constexpr std::int64_t kLeastGigabytes = 2;
constexpr std::int64_t kMostGigabytes = 1024;

// Up to 24 GB those that most players have: Steam's survey of February 2025 (RTX 4060, 3060, 4060 Ti,
// https://outof.games/news/7889-steam-releases-their-monthly-hardware-survey-interesting-trends-we-noticed) and of
// March 2024 (RTX 2060, GTX 1650,
// https://mezha.media/en/2024/04/02/geforce-rtx-3060-remains-the-undisputed-leader-among-steam-users/); of other sizes
// the one that is most talked of, or that clouds rent.
constexpr auto kMostUsed = std::to_array<std::pair<std::int64_t, std::string_view>>({
    {4, "gtx-1650"},
    {6, "rtx-2060"},
    {8, "rtx-4060"},
    {10, "rtx-3080"},
    {11, "rtx-2080-ti"},
    {12, "rtx-3060"},
    {16, "rtx-4060-ti-16gb"},
    {20, "rtx-4000-ada"},
    {24, "rtx-4090"},
    {32, "rtx-5090"},
    {40, "a100-sxm4-40gb"},
    {48, "rtx-a6000"},
    {80, "a100-sxm4-80gb"},
    {96, "gh200-96gb"},
    {141, "h200-sxm-141gb"},
    {180, "b200-sxm-180gb"},
    {288, "b300-sxm-288gb"},
});

}  // namespace

std::optional<std::int64_t> size_of_card(std::string_view text) {
  std::string word;
  for (const char c : text) {
    word += c == ' ' || c == '\t' ? "" : std::string(1, base::lower(c));
  }
  std::int64_t size = 0;
  const auto [stop, error] = std::from_chars(word.data(), word.data() + word.size(), size);
  const std::string_view unit(stop, static_cast<std::size_t>(word.data() + word.size() - stop));
  const bool whole = error == std::errc() && (unit == "gb" || unit == "gib" || unit == "g");
  return whole && size >= kLeastGigabytes && size <= kMostGigabytes ? std::optional(size) : std::nullopt;
}

std::string_view stand_in_for(std::int64_t gigabytes) {
  const auto* const row = std::ranges::find_if(kMostUsed, [&](const auto& pair) { return pair.first >= gigabytes; });
  return row == kMostUsed.end() ? kMostUsed.back().second : row->second;
}

hardware::Gpu card_of_size(const hardware::Gpu& like, std::int64_t gigabytes) {
  hardware::Gpu card = like;
  card.memory_total = base::Bytes(like.memory_total.count() * gigabytes / hardware::gigabytes_as_sold(like));
  card.name = fmt::format("{}gb", gigabytes);
  card.title = fmt::format("{} GB card", gigabytes);
  card.like = like.title;
  card.sources = {{{}, "assumption", "", fmt::format("Memory and arithmetic of {}, in proportion.", like.title)}};
  return card;
}

}  // namespace vggplan::catalog
