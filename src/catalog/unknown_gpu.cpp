// SPDX-License-Identifier: MIT
#include "catalog/unknown_gpu.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "catalog/gpu_names.hpp"
#include "vggplan/base/format.hpp"
#include "vggplan/base/names.hpp"
#include "vggplan/catalog/catalog.hpp"

namespace vggplan::catalog {

namespace {

template <class Named>
std::vector<std::string> names_of(std::span<const Named> records) {
  std::vector<std::string> names;
  std::ranges::transform(records, std::back_inserter(names), [](const Named& row) { return row.name; });
  return names;
}

/// Octaves of memory and of speed. What fits is asked first, so memory counts twice.
double distance(const hardware::OtherGpu& wanted, const hardware::Gpu& gpu) {
  const double memory = static_cast<double>(hardware::gigabytes_as_sold(gpu)) / wanted.gigabytes;
  const double speed = gpu.fp32 ? gpu.fp32->count() / wanted.fp32.count() : 0;
  return 2 * std::abs(std::log2(memory)) + std::abs(std::log2(speed));
}

std::string described(const std::string& name, double gigabytes, base::FlopsPerSecond fp32) {
  return fmt::format("{} ({:g} GB, {})", name, gigabytes, base::format_scaled(fp32.count(), "FLOP/s"));
}

std::string nearest_to(const hardware::OtherGpu& wanted, std::span<const hardware::Gpu> known) {
  std::vector<const hardware::Gpu*> sorted;
  for (const hardware::Gpu& gpu : known) {
    if (gpu.fp32 && !is_laptop(gpu.name)) {
      sorted.push_back(&gpu);
    }
  }
  std::stable_sort(sorted.begin(), sorted.end(),
                   [&](const auto* a, const auto* b) { return distance(wanted, *a) < distance(wanted, *b); });
  constexpr std::size_t kShown = 2;
  std::string list;
  for (std::size_t i = 0; i < std::min(kShown, sorted.size()); ++i) {
    const hardware::Gpu& gpu = *sorted[i];
    list += i == 0 ? "" : " and ";
    list += described(gpu.name, static_cast<double>(hardware::gigabytes_as_sold(gpu)), *gpu.fp32);
  }
  return list;
}

/// "rtx 3060 8gb" where only that of 12 GB is known.
std::string of_another_size(std::string_view name, std::span<const hardware::Gpu> known) {
  const auto asked = without_memory(name);
  const auto found = asked ? match_gpu_name(asked->name, names_of(known)) : NameMatch{};
  if (found.kind != NameMatch::Kind::found) {
    return "";
  }
  const auto gpu = std::find_if(known.begin(), known.end(), [&](const auto& row) { return row.name == found.name; });
  return fmt::format("{} has {} GB; --gpus {}GB is a card of that size", found.name, hardware::gigabytes_as_sold(*gpu),
                     asked->gigabytes);
}

}  // namespace

base::Diagnostic unknown_gpu(std::string_view name, std::string_view place, std::span<const hardware::Gpu> known,
                             std::span<const hardware::OtherGpu> others) {
  const NameMatch other = match_gpu_name(name, names_of(others));
  if (other.kind == NameMatch::Kind::found) {
    const auto card = std::ranges::find_if(others, [&](const auto& row) { return row.name == other.name; });
    return base::wrong(
        place,
        fmt::format("{} is not modelled: {}", base::quoted(name), described(card->title, card->gigabytes, card->fp32)),
        fmt::format("nearest by memory and speed: {}", nearest_to(*card, known)));
  }
  const std::string rule = fmt::format("unknown GPU {}", base::quoted(name));
  if (std::string size = of_another_size(name, known); !size.empty()) {
    return base::wrong(place, rule, std::move(size));
  }
  std::vector<std::string> words = names_of(known);
  for (const GpuAlias& row : gpu_aliases()) {
    words.emplace_back(row.alias);
  }
  // Nothing so long is a slip of the keyboard, and looking for near names takes time by its length.
  constexpr std::size_t kLongestSlip = 64;
  const bool near = name.size() <= kLongestSlip && !base::nearest(name, words).empty();
  return base::wrong(place, rule, near ? base::suggestion(name, words) : "'vggplan gpus' lists them");
}

}  // namespace vggplan::catalog
