// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "catalog/card_of_size.hpp"
#include "catalog/gpu_names.hpp"
#include "catalog/records.hpp"
#include "catalog/unknown_gpu.hpp"
#include "vggplan/base/format.hpp"
#include "vggplan/catalog/catalog.hpp"

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

}  // namespace

base::Result<hardware::Gpu> Catalog::load_gpu(std::string_view name) const {
  const auto found = TRY(entry("gpus", name));
  return read_gpu(*found);
}

std::vector<std::string> Catalog::card_names() const {
  std::vector<std::string> names = gpu_names();
  std::erase_if(names, is_laptop);
  return names;
}

base::Diagnostic Catalog::unknown(std::string_view name, std::string_view place) const {
  std::vector<hardware::Gpu> known;
  for (const std::string& gpu : gpu_names()) {
    known.push_back(TRY(load_gpu(gpu)));
  }
  const auto others = TRY(read_other_gpus(other_gpus_));
  return unknown_gpu(name, place, known, others);
}

/// "RTX 3060 12GB": most names have no size in them. Of those that the rest could mean, the one of that size.
base::Result<NameMatch> Catalog::match_with_memory(std::string_view name) const {
  const auto asked = without_memory(name);
  NameMatch match = asked ? match_gpu_name(asked->name, gpu_names()) : NameMatch{};
  if (match.kind == NameMatch::Kind::found) {
    match.others.push_back(match.name);
  }
  NameMatch sized;
  for (const std::string& other : match.others) {
    const hardware::Gpu gpu = TRY(load_gpu(other));
    if (hardware::gigabytes_as_sold(gpu) == asked->gigabytes) {
      sized.kind = sized.name.empty() ? NameMatch::Kind::found : NameMatch::Kind::ambiguous;
      sized.name = other;
      sized.others.push_back(other);
    }
  }
  if (sized.kind == NameMatch::Kind::found) {
    sized.others.clear();
  }
  return sized;
}

base::Result<NameMatch> Catalog::match_gpu(std::string_view name) const {
  NameMatch match = match_gpu_name(name, gpu_names());
  return match.kind == NameMatch::Kind::unknown ? match_with_memory(name) : std::move(match);
}

bool Catalog::knows_gpu(std::string_view name) const {
  if (size_of_card(name)) {
    return true;
  }
  const auto match = match_gpu(name);
  return match && match->kind == NameMatch::Kind::found;
}

base::Result<GpuChoice> Catalog::find_gpu(std::string_view name, std::string_view place) const {
  if (const auto size = size_of_card(name)) {
    const hardware::Gpu like = TRY(load_gpu(stand_in_for(*size)));
    return GpuChoice{card_of_size(like, *size), "", {}};
  }
  NameMatch match = TRY(match_gpu(name));
  if (match.kind == NameMatch::Kind::unknown) {
    return unknown(name, place);
  }
  if (match.kind == NameMatch::Kind::ambiguous) {
    const bool one = match.others.size() == 1;
    return base::wrong(
        place, fmt::format("{} could be {}{}", base::quoted(name), one ? "" : "any of ", fmt::join(match.others, ", ")),
        one ? "write its full name" : "write one of them");
  }
  GpuChoice choice{TRY(load_gpu(match.name)), "", {}};
  if (match.others.empty()) {
    return choice;
  }
  std::vector<hardware::Gpu> others;
  for (const std::string& other : match.others) {
    others.push_back(TRY(load_gpu(other)));
  }
  choice.note = note_of(name, choice.gpu, others);
  choice.alternatives = std::move(match.others);
  return choice;
}

base::Result<hardware::Gpu> Catalog::gpu(std::string_view name) const { return TRY(find_gpu(name, "GPU")).gpu; }

}  // namespace vggplan::catalog
