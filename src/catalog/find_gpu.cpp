// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "catalog/gpu_names.hpp"
#include "catalog/records.hpp"
#include "vggplan/base/format.hpp"
#include "vggplan/base/names.hpp"
#include "vggplan/catalog/catalog.hpp"
#include "vggplan/catalog/json_reader.hpp"

namespace vggplan::catalog {

namespace {

std::string note_of(std::string_view asked, const hardware::Gpu& taken, const std::vector<hardware::Gpu>& others) {
  std::vector<std::string> listed;
  listed.reserve(others.size());
  for (const hardware::Gpu& other : others) {
    listed.push_back(fmt::format("{} ({})", other.name, base::format_bytes(other.memory_total)));
  }
  return fmt::format("{} is taken as {} ({}); other variants: {}", base::quoted(asked), taken.name,
                     base::format_bytes(taken.memory_total), fmt::join(listed, ", "));
}

/// Names are too many to list: near ones, or where to find them all.
base::Diagnostic unknown_gpu(std::string_view name, std::string_view place, std::vector<std::string> words) {
  for (const GpuAlias& row : gpu_aliases()) {
    words.emplace_back(row.alias);
  }
  // Nothing so long is a slip of the keyboard, and looking for near names takes time by its length.
  constexpr std::size_t kLongestSlip = 64;
  const bool near = name.size() <= kLongestSlip && !base::nearest(name, words).empty();
  return base::wrong(place, fmt::format("unknown GPU {}", base::quoted(name)),
                     near ? base::suggestion(name, words) : "'vggplan gpus' lists them");
}

}  // namespace

base::Result<GpuChoice> Catalog::load_gpu(const std::string& name) const {
  const auto found = entry("gpus", name);
  if (!found) {
    return found.error();
  }
  auto gpu = read_gpu((*found)->text, (*found)->shown);
  if (!gpu) {
    return gpu.error();
  }
  return GpuChoice{std::move(*gpu), "", {}};
}

base::Result<GpuChoice> Catalog::find_gpu(std::string_view name, std::string_view place) const {
  const std::vector<std::string> known = gpu_names();
  NameMatch match = match_gpu_name(name, known);
  if (match.kind == NameMatch::Kind::ambiguous) {
    return base::wrong(place, fmt::format("{} could be any of {}", base::quoted(name), fmt::join(match.others, ", ")),
                       "write one of them");
  }
  if (match.kind == NameMatch::Kind::unknown) {
    return unknown_gpu(name, place, known);
  }
  auto choice = load_gpu(match.name);
  if (!choice || match.others.empty()) {
    return choice;
  }
  std::vector<hardware::Gpu> others;
  for (const std::string& other : match.others) {
    const auto variant = load_gpu(other);
    if (!variant) {
      return variant.error();
    }
    others.push_back(variant->gpu);
  }
  choice->note = note_of(name, choice->gpu, others);
  choice->alternatives = std::move(match.others);
  return choice;
}

base::Result<hardware::Gpu> Catalog::gpu(std::string_view name) const {
  auto choice = find_gpu(name, "GPU");
  if (!choice) {
    return choice.error();
  }
  return std::move(choice->gpu);
}

}  // namespace vggplan::catalog
