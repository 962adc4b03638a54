// SPDX-License-Identifier: MIT
#include "vggplan/catalog/gpu_request.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>

#include "vggplan/base/ascii.hpp"
#include "vggplan/base/format.hpp"

namespace vggplan::catalog {

namespace {

using base::is_digit;

const std::string kExamples = "write it like a100x4, 4xa100, a100:4 or a100-40gb-pcie:8";
constexpr std::string_view kAny = "any";

bool is_space(char c) { return c == ' ' || c == '\t'; }
bool is_times(char c) { return c == 'x' || c == 'X' || c == '*'; }

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space(text.front())) {
    text.remove_prefix(1);
  }
  while (!text.empty() && is_space(text.back())) {
    text.remove_suffix(1);
  }
  return text;
}

/// A request cut into what stands for the GPU and what stands for the count.
struct Parts {
  std::string_view name{};
  std::optional<std::string_view> count{};
};

/// "4xa100"
std::optional<Parts> count_first(std::string_view text) {
  const std::size_t sign = text.starts_with('-') ? 1 : 0;
  std::size_t end = sign;
  while (end < text.size() && (is_digit(text[end]) || text[end] == '.')) {
    ++end;
  }
  const std::string_view rest = trim(text.substr(end));
  if (end == sign || rest.empty() || !is_times(rest.front())) {
    return std::nullopt;
  }
  return Parts{trim(rest.substr(1)), text.substr(0, end)};
}

/// "a100:4"
std::optional<Parts> count_after_colon(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) {
    return std::nullopt;
  }
  return Parts{trim(text.substr(0, colon)), trim(text.substr(colon + 1))};
}

/// "a100x4". Not "gtx1080" or "rtx-6000": an x that ends a word of a name, and no count.
std::optional<Parts> count_last(std::string_view text) {
  std::size_t start = text.size();
  while (start > 0 && (is_digit(text[start - 1]) || text[start - 1] == '.')) {
    --start;
  }
  const std::size_t digits = start;
  if (digits < text.size() && start > 0 && text[start - 1] == '-') {
    --start;  // a negative count, if an x stands before it
  }
  const std::string_view before = trim(text.substr(0, start));
  if (before.empty() || !is_times(before.back())) {
    return std::nullopt;
  }
  const std::string_view name = trim(before.substr(0, before.size() - 1));
  const bool part_of_name =
      name.ends_with("rt") || name.ends_with("gt") || name.ends_with("RT") || name.ends_with("GT");
  if (name.empty() || part_of_name) {
    return std::nullopt;
  }
  return Parts{name, text.substr(start)};
}

/// The ways to cut `text`, likeliest first; at least one.
std::vector<Parts> cuts(std::string_view text) {
  std::vector<Parts> ways;
  for (const auto& parts : {count_first(text), count_after_colon(text), count_last(text)}) {
    if (parts) {
      ways.push_back(*parts);
    }
  }
  if (ways.empty()) {
    ways.push_back({text, std::nullopt});
  }
  return ways;
}

base::Result<std::int64_t> parse_count(std::string_view count, std::string_view whole, std::string_view place) {
  if (count.empty()) {
    return base::wrong(place, fmt::format("{} lacks the number of GPUs", base::quoted(whole)), kExamples);
  }
  const std::string_view magnitude = count.starts_with('-') ? count.substr(1) : count;
  if (magnitude.empty() || !std::ranges::all_of(magnitude, is_digit)) {
    return base::wrong(place,
                       fmt::format("{} in {} is not a whole number of GPUs", base::quoted(count), base::quoted(whole)),
                       kExamples);
  }
  std::int64_t value = 0;
  const auto parsed = std::from_chars(count.data(), count.data() + count.size(), value);
  if (parsed.ec != std::errc{} || value < 1 || value > hardware::kMostGpus) {
    return base::wrong(
        place, fmt::format("the number of GPUs must be from 1 to {}, not {}", hardware::kMostGpus, base::quoted(count)),
        kExamples);
  }
  return value;
}

bool is_any(std::string_view name) { return base::same_letters(name, kAny); }

bool is_known(const Catalog& catalog, std::string_view name) { return is_any(name) || catalog.knows_gpu(name); }

/// Why `parts.name` names nothing: "2xa100x4" has a count at both ends, the rest is unknown.
base::Diagnostic unknown_name(const Catalog& catalog, const Parts& parts, std::string_view whole,
                              std::string_view place, const base::Diagnostic& error) {
  const std::vector<Parts> inner = cuts(parts.name);
  const bool twice = parts.count && std::any_of(inner.begin(), inner.end(), [&](const Parts& other) {
                       return other.count && is_known(catalog, other.name);
                     });
  if (twice) {
    return base::wrong(place, fmt::format("{} gives the number of GPUs twice", base::quoted(whole)), kExamples);
  }
  if (parts.name.empty()) {
    return base::wrong(place, fmt::format("{} names no GPU", base::quoted(whole)), kExamples);
  }
  return error;
}

base::Result<std::vector<GpuChoice>> choices(const Catalog& catalog, const Parts& parts, std::string_view whole,
                                             std::string_view place) {
  std::vector<GpuChoice> found;
  if (!is_any(parts.name)) {
    auto choice = catalog.find_gpu(parts.name, place);
    if (!choice) {
      return unknown_name(catalog, parts, whole, place, choice.error());
    }
    found.push_back(std::move(*choice));
    return found;
  }
  for (const std::string& name : catalog.card_names()) {
    auto choice = TRY(catalog.find_gpu(name, place));
    choice.of_any = true;
    found.push_back(std::move(choice));
  }
  return found;
}

/// The whole text is a name before an x in it means "times" (titan-x, rtx3090), and of several cuts
/// the one whose name is known is meant (3090x2 is two of the 3090).
Parts parts_of(const Catalog& catalog, std::string_view text) {
  if (is_known(catalog, text)) {
    return {text, std::nullopt};
  }
  const std::vector<Parts> ways = cuts(text);
  for (const Parts& parts : ways) {
    if (is_known(catalog, parts.name)) {
      return parts;
    }
  }
  const bool bare_x = ways[0].count && ways[0].count->empty() && text.find(':') == std::string_view::npos;
  return bare_x ? Parts{text, std::nullopt} : ways[0];
}

base::Status add_alternative(const Catalog& catalog, std::string_view text, std::string_view place,
                             std::vector<GpuRequest>& requests) {
  if (text.empty()) {
    return base::wrong(place, "names no GPU", kExamples);
  }
  const Parts parts = parts_of(catalog, text);
  auto found = TRY(choices(catalog, parts, text, place));
  const auto count =
      TRY(parts.count ? parse_count(*parts.count, text, place) : base::Result<std::int64_t>(std::int64_t{1}));
  for (GpuChoice& choice : found) {
    const bool known = std::any_of(requests.begin(), requests.end(), [&](const GpuRequest& other) {
      return other.choice.gpu.name == choice.gpu.name && other.count == count;
    });
    if (!known) {
      requests.push_back({std::move(choice), count, parts.count.has_value()});
    }
  }
  return {};
}

}  // namespace

base::Result<std::vector<GpuRequest>> parse_gpu_request(const Catalog& catalog, std::string_view text,
                                                        std::string_view place) {
  std::string plain(text);
  constexpr std::string_view kTimesSign = "\xC3\x97";
  for (std::size_t at = plain.find(kTimesSign); at != std::string::npos; at = plain.find(kTimesSign, at)) {
    plain.replace(at, kTimesSign.size(), "x");
  }
  std::vector<GpuRequest> requests;
  constexpr std::size_t kMostEntries = 100;
  std::size_t entries = 0;
  for (const std::string_view part : base::split(plain, ',')) {
    const std::string_view item = trim(part);
    if (item.empty() && plain.find(',') != std::string::npos) {
      return base::wrong(place, fmt::format("{} has an empty entry", base::quoted(text)),
                         "leave out the comma too many");
    }
    TRY(add_alternative(catalog, item, place, requests));
    if (++entries > kMostEntries) {
      return base::wrong(place, fmt::format("holds more than {} alternatives", kMostEntries),
                         "'any' stands for every GPU");
    }
  }
  return requests;
}

}  // namespace vggplan::catalog
