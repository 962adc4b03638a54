// SPDX-License-Identifier: MIT
#include "vggplan/catalog/catalog.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "catalog/records.hpp"
#include "vggplan/base/dates.hpp"
#include "vggplan/base/format.hpp"
#include "vggplan/base/names.hpp"
#include "vggplan/catalog/calibration.hpp"
#include "vggplan/catalog/embedded.hpp"

namespace vggplan::catalog {

namespace {

constexpr std::string_view kLinksFile = "links.json";
constexpr std::string_view kOtherGpusFile = "other-gpus.json";
constexpr std::string_view kExtension = ".json";
/// Nothing where one of the days is not known, or the price is of a later one.
std::optional<hardware::PriceAge> age_of(const hardware::Price& price, const std::string& today) {
  const auto from = base::days(price.date);
  const auto to = base::day_number(today);
  if (!from || !to || *to < from->first) {
    return std::nullopt;
  }
  return hardware::PriceAge{today, std::max<std::int64_t>(*to - from->last, 0), *to - from->first};
}

/// Folder and name of "gpus/a100.json"; empty strings for anything of another shape.
std::pair<std::string_view, std::string_view> split_path(std::string_view path) {
  const std::size_t slash = path.find('/');
  if (slash == std::string_view::npos || !path.ends_with(kExtension)) {
    return {};
  }
  const std::string_view name = path.substr(slash + 1, path.size() - slash - 1 - kExtension.size());
  return name.find('/') == std::string_view::npos ? std::pair(path.substr(0, slash), name)
                                                  : std::pair<std::string_view, std::string_view>{};
}

std::string shown_of(const ConfigFile& file) { return file.shown.empty() ? file.path : file.shown; }

base::Diagnostic wrong_name(const std::string& shown, std::string_view key, const std::string& inside,
                            std::string_view stem) {
  return base::wrong(fmt::format("{}:/{}", shown, key),
                     fmt::format("is {}, but the file is called {}", base::quoted(inside), base::quoted(stem)),
                     "give both the same name");
}

/// Reads a record for its errors alone. `name`: what must be the file's name as well.
template <class T>
base::Status check_record(const base::Result<T>& record, const std::string& shown, std::string_view stem,
                          std::string T::*name = &T::name, std::string_view key = "name") {
  if (!record) {
    return record.error();
  }
  return (*record).*name == stem ? base::Status{} : wrong_name(shown, key, (*record).*name, stem);
}

template <auto Read>
base::Status check_file(const RecordFile& file, std::string_view stem) {
  return check_record(Read(file), file.shown, stem);
}
base::Status check_calibration(const RecordFile& file, std::string_view stem) {
  return check_record(read_calibration(file), file.shown, stem, &timing::Calibration::gpu, "gpu");
}
/// Once all are there: Catalog::check_frameworks().
base::Status check_later(const RecordFile&, std::string_view) { return std::nullopt; }

/// Folders that a user's files may go to.
struct FolderKind {
  std::string_view folder{};
  std::string_view record{};  ///< what one of them is called
  base::Status (*check)(const RecordFile& file, std::string_view stem){};
};
constexpr std::array<FolderKind, 6> kFolders{{
    {"gpus", "GPU", check_file<read_gpu>},
    {"machines", "machine", check_file<read_machine>},
    {"models", "model", check_file<read_model>},
    {"storage", "storage", check_file<read_storage>},
    {"frameworks", "framework", check_later},
    {"calibration", "calibration", check_calibration},
}};

/// Null for a folder of none of these.
const FolderKind* folder_kind(std::string_view folder) {
  const auto* row = std::ranges::find(kFolders, folder, &FolderKind::folder);
  return row == kFolders.end() ? nullptr : row;
}

}  // namespace

Catalog Catalog::built_in() {
  Catalog catalog;
  for (const base::EmbeddedFile& file : embedded_files()) {
    Entry entry{{file.text, fmt::format("configs/{}", file.path), true}, nullptr};
    if (file.path == kLinksFile) {
      catalog.links_.push_back(std::move(entry));
    } else if (file.path == kOtherGpusFile) {
      catalog.other_gpus_ = std::move(entry);
    } else if (const auto [folder, name] = split_path(file.path); !folder.empty()) {
      catalog.folders_[std::string(folder)].insert_or_assign(std::string(name), std::move(entry));
    }
  }
  return catalog;
}

base::Status Catalog::add(const ConfigFile& file) {
  Entry entry;
  entry.shown = shown_of(file);
  entry.owner = std::make_shared<const std::string>(file.text);
  entry.text = *entry.owner;
  if (file.path == kLinksFile) {
    const auto links = TRY(read_links(entry));
    links_.push_back(std::move(entry));
    return {};
  }
  const auto [folder, name] = split_path(file.path);
  const FolderKind* kind = folder_kind(folder);
  if (kind == nullptr) {
    std::vector<std::string_view> known;
    std::ranges::transform(kFolders, std::back_inserter(known), &FolderKind::folder);
    return base::wrong(
        entry.shown, "is no file of a known kind",
        fmt::format("put NAME.json in one of {}, or links beside them in {}", fmt::join(known, ", "), kLinksFile));
  }
  TRY(kind->check(entry, name));
  entry.held = kind->check != check_later;
  folders_[std::string(folder)].insert_or_assign(std::string(name), std::move(entry));
  return {};
}

base::Status Catalog::check_links() const {
  for (const auto& [name, entry] : folders_.at("gpus")) {
    if (entry.owner == nullptr) {
      continue;
    }
    const hardware::Gpu gpu = read_gpu(entry).value();
    for (const auto& [key, wanted] : {std::pair{"host_link", gpu.pcie}, {"nvlink", gpu.nvlink.value_or(gpu.pcie)}}) {
      if (const auto found = link(wanted); !found) {
        return base::wrong(fmt::format("{}:/{}", entry.shown, key), found.error().rule, found.error().remedy);
      }
    }
  }
  return {};
}

base::Status Catalog::check_frameworks() const {
  for (const auto& [name, entry] : folders_.at("frameworks")) {
    if (entry.owner == nullptr) {
      continue;
    }
    TRY(check_record(framework(name), entry.shown, name));
  }
  return {};
}

base::Result<Catalog> Catalog::with_overrides(std::span<const ConfigFile> files) const {
  Catalog catalog = *this;
  for (const ConfigFile& file : files) {
    TRY(catalog.add(file));
  }
  TRY(catalog.check_links());
  TRY(catalog.check_frameworks());
  return catalog;
}

base::Result<Catalog> Catalog::with_gpu_file(const ConfigFile& file) const {
  const auto gpu = TRY(gpu_from(file));
  Catalog catalog = *this;
  const ConfigFile placed{fmt::format("gpus/{}.json", gpu.name), file.text, shown_of(file)};
  TRY(catalog.add(placed));
  TRY(catalog.check_links());
  return catalog;
}

base::Result<Catalog> Catalog::with_prices(PriceList prices, AskedPrices asked) const {
  TRY(prices.check(*this));
  Catalog catalog = *this;
  catalog.prices_ = std::move(prices);
  catalog.asked_ = std::move(asked);
  TRY(catalog.check_regions());
  return catalog;
}

base::Status Catalog::check_regions() const {
  if (asked_.regions.empty()) {
    return std::nullopt;
  }
  std::set<std::string> known = prices_.regions();
  for (const std::string& name : names("machines")) {
    const Entry* found = TRY(entry("machines", name));
    const hardware::Machine machine = TRY(read_machine(*found));
    known.insert(machine.price ? machine.price->region : "");
  }
  known.erase("");
  for (const std::string& region : asked_.regions) {
    if (!known.contains(region)) {
      const std::vector<std::string> candidates(known.begin(), known.end());
      return base::wrong(asked_.place, fmt::format("no price is of {}", base::quoted(region)),
                         base::suggestion(region, candidates));
    }
  }
  return std::nullopt;
}

void Catalog::settle_price(hardware::Machine& machine) const {
  prices_.put_on(machine);
  for (std::optional<hardware::Price>* price : {&machine.price, &machine.spot_price}) {
    if (*price && !asked_.takes((*price)->region)) {
      price->reset();
    } else if (*price) {
      (*price)->age = age_of(**price, asked_.today);
    }
  }
  if (asked_.spot) {
    machine.price = machine.spot_price;
  }
}

std::vector<std::string> Catalog::names(std::string_view folder) const {
  std::vector<std::string> out;
  if (const auto found = folders_.find(folder); found != folders_.end()) {
    for (const auto& [name, entry] : found->second) {
      out.push_back(name);
    }
  }
  return out;
}

base::Result<const Catalog::Entry*> Catalog::entry(std::string_view folder, std::string_view name,
                                                   std::string_view place) const {
  const auto found = folders_.find(folder);
  if (found != folders_.end()) {
    if (const auto exact = found->second.find(name); exact != found->second.end()) {
      return &exact->second;
    }
    const std::string wanted = name_key(name);
    for (const auto& [key, value] : found->second) {
      if (name_key(key) == wanted) {
        return &value;
      }
    }
  }
  const FolderKind* known = folder_kind(folder);
  const std::string_view kind = known == nullptr ? "file" : known->record;
  return base::wrong(place.empty() ? kind : place, fmt::format("unknown {} {}", kind, base::quoted(name)),
                     base::suggestion(name, names(folder)));
}

base::Result<hardware::Machine> Catalog::machine(std::string_view name, std::string_view place) const {
  const auto found = TRY(entry("machines", name, place));
  base::Result<hardware::Machine> machine = read_machine(*found);
  if (machine) {
    settle_price(*machine);
  }
  return machine;
}

base::Result<graph::ModelSpec> Catalog::model(std::string_view name) const {
  const auto* const found = TRY(entry("models", name));
  return read_model(*found);
}

base::Result<hardware::Storage> Catalog::storage(std::string_view name) const {
  const auto* const found = TRY(entry("storage", name));
  return read_storage(*found);
}

base::Result<lowering::Framework> Catalog::framework(std::string_view name) const {
  const auto whole = [this](std::string_view base) {
    const auto found = entry("frameworks", base);
    return found ? read_framework(**found) : found.error();
  };
  const auto* const found = TRY(entry("frameworks", name));
  return read_framework(*found, whole);
}

base::Result<timing::Calibration> Catalog::calibration(std::string_view name) const {
  const auto* const found = TRY(entry("calibration", name));
  return read_calibration(*found);
}

base::Result<std::vector<hardware::Link>> Catalog::links() const {
  std::vector<hardware::Link> all;
  for (const Entry& file : links_) {
    const auto links = TRY(read_links(file));
    for (const hardware::Link& link : links) {
      std::erase_if(all, [&](const hardware::Link& other) { return other.name == link.name; });
      all.push_back(link);
    }
  }
  return all;
}

base::Result<hardware::Link> Catalog::link(std::string_view name) const {
  const auto all = TRY(links());
  std::vector<std::string> known;
  for (const hardware::Link& link : all) {
    if (link.name == name) {
      return link;
    }
    known.push_back(link.name);
  }
  return base::wrong("link", fmt::format("unknown link {}", base::quoted(name)), base::suggestion(name, known));
}

base::Result<std::vector<hardware::Machine>> Catalog::machines_with(std::string_view gpu) const {
  std::vector<hardware::Machine> machines;
  const auto folder = folders_.find("machines");
  if (folder == folders_.end()) {
    return machines;
  }
  const std::string needle = fmt::format("\"{}\"", gpu);
  for (const auto& [name, file] : folder->second) {
    // Most files are of other GPUs: looking for the name is much cheaper than parsing.
    if (file.text.find(needle) == std::string_view::npos) {
      continue;
    }
    auto machine = TRY(read_machine(file));
    if (machine.gpu == gpu) {
      settle_price(machine);
      machines.push_back(std::move(machine));
    }
  }
  for (hardware::Machine& machine : prices_.others_with(gpu, *this)) {
    settle_price(machine);
    machines.push_back(std::move(machine));
  }
  return machines;
}

base::Result<std::string_view> Catalog::text(std::string_view folder, std::string_view name) const {
  const auto found = TRY(entry(folder, name));
  return found->text;
}

base::Result<hardware::Gpu> gpu_from(const ConfigFile& file) { return read_gpu({file.text, shown_of(file)}); }

base::Result<graph::ModelSpec> model_from(const ConfigFile& file) { return read_model({file.text, shown_of(file)}); }

}  // namespace vggplan::catalog
