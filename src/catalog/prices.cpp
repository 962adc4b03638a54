// SPDX-License-Identifier: MIT
#include "vggplan/catalog/prices.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "catalog/price_rows.hpp"
#include "catalog/records.hpp"
#include "vggplan/base/ascii.hpp"
#include "vggplan/base/format.hpp"
#include "vggplan/catalog/catalog.hpp"

namespace vggplan::catalog {

namespace {

/// SkyPilot's names tell less than ours: the form that clouds have most of stands for them, and A100 is the card of
/// 40 GB. Names that mean one card alone are found as users' are.
struct Accelerator {
  std::string_view name{};
  std::string_view gpu{};
};
constexpr std::array kAccelerators{
    Accelerator{"A100", "a100-sxm4-40gb"},          Accelerator{"A100-80GB", "a100-sxm4-80gb"},
    Accelerator{"A100-80GB-SXM", "a100-sxm4-80gb"}, Accelerator{"H100", "h100-sxm5-80gb"},
    Accelerator{"H100-SXM", "h100-sxm5-80gb"},      Accelerator{"H100-MEGA", "h100-sxm5-80gb"},
    Accelerator{"H200", "h200-sxm-141gb"},          Accelerator{"H200-SXM", "h200-sxm-141gb"},
    Accelerator{"V100", "v100-sxm2-16gb"},          Accelerator{"V100-32GB", "v100-sxm2-32gb"},
    Accelerator{"P100", "p100-pcie-16gb"},          Accelerator{"K80", "k80-12gb"}};

/// Google's machines whose host and GPUs are priced apart, and what its GPUs are called there
/// (https://cloud.google.com/compute/docs/accelerator-optimized-machines).
constexpr std::array kHalves{Accelerator{"A100", "a2-highgpu-"}, Accelerator{"A100-80GB", "a2-ultragpu-"},
                             Accelerator{"H100", "a3-highgpu-"}, Accelerator{"H100-MEGA", "a3-megagpu-"}};

std::string_view accelerator_of_host(std::string_view machine) {
  const auto* found = std::find_if(kHalves.begin(), kHalves.end(),
                                   [&](const Accelerator& row) { return machine.starts_with(row.gpu); });
  return found == kHalves.end() ? std::string_view() : found->name;
}

/// Google's names end in the number of GPUs: a2-highgpu-8g.
std::int64_t count_of_host(std::string_view machine) {
  const std::size_t dash = machine.rfind('-');
  std::int64_t count = 0;
  for (const char c : machine.substr(dash + 1)) {
    count = base::is_digit(c) && count < hardware::kMostGpus ? count * 10 + (c - '0') : count;
  }
  return count;
}

std::string gpu_of(const std::string& accelerator, const Catalog& catalog) {
  const auto* known = std::find_if(kAccelerators.begin(), kAccelerators.end(),
                                   [&](const Accelerator& row) { return row.name == accelerator; });
  if (known != kAccelerators.end()) {
    return std::string(known->gpu);
  }
  const base::Result<GpuChoice> choice = catalog.find_gpu(accelerator, "prices");
  return choice && choice->alternatives.empty() ? choice->gpu.name : std::string();
}

/// Hosts and GPUs that are priced apart, joined where both are to be had.
std::vector<PriceRow> joined(std::vector<PriceRow> rows) {
  using Key = std::tuple<std::string, std::int64_t, std::string, std::string>;
  std::map<Key, const PriceRow*> gpus;
  for (const PriceRow& row : rows) {
    if (row.machine.empty()) {
      gpus.emplace(Key(row.accelerator, row.count.value_or(0), row.region, row.zone), &row);
    }
  }
  std::vector<PriceRow> whole;
  for (PriceRow& row : rows) {
    if (row.machine.empty() || !row.accelerator.empty() || gpus.empty()) {
      continue;
    }
    const std::string name(accelerator_of_host(row.machine));
    const auto half = gpus.find(Key(name, count_of_host(row.machine), row.region, row.zone));
    if (name.empty() || half == gpus.end()) {
      continue;
    }
    const auto sum = [](const auto& a, const auto& b) { return a && b ? std::optional(*a + *b) : std::nullopt; };
    const PriceRow& other = *half->second;
    PriceRow both = row;
    both.accelerator = name;
    both.count = other.count;
    both.on_demand = sum(row.on_demand, other.on_demand);
    both.spot = sum(row.spot, other.spot);
    whole.push_back(std::move(both));
  }
  std::copy_if(std::make_move_iterator(rows.begin()), std::make_move_iterator(rows.end()), std::back_inserter(whole),
               [](const PriceRow& row) { return !row.machine.empty() && row.count != 0; });
  return whole;
}

void take_lower(std::optional<hardware::Price>& known, const std::optional<base::Usd>& asked, hardware::Price price) {
  if (asked && (!known || *asked < known->per_hour)) {
    price.per_hour = *asked;
    known = std::move(price);
  }
}

}  // namespace

bool AskedPrices::takes(std::string_view region) const {
  return regions.empty() || std::find(regions.begin(), regions.end(), region) != regions.end();
}

base::Result<PriceList> PriceList::read(std::string_view text, const std::string& shown, const std::string& date,
                                        const AskedPrices& asked) {
  PriceRows read = TRY(read_price_rows(text, shown));
  PriceList list;
  const std::string as_of = read.date.empty() ? date : read.date;
  for (const PriceRow& row : joined(std::move(read.rows))) {
    list.regions_.insert(row.region);
    if (!asked.takes(row.region)) {
      continue;
    }
    const auto [place, added] = list.offers_.try_emplace(name_key(row.machine));
    if (added) {
      place->second = {row.machine, row.accelerator, row.count.value_or(1), row.place, {}, {}};
    }
    take_lower(place->second.on_demand, row.on_demand, {{}, shown, as_of, row.region, false, {}});
    take_lower(place->second.spot, row.spot, {{}, shown, as_of, row.region, true, {}});
  }
  if (list.regions_.empty()) {
    return base::wrong(shown, "has no price of a machine with GPUs",
                       "name a vms.csv of SkyPilot's catalogue, or JSON: vggplan schema prices");
  }
  return list;
}

base::Status PriceList::check(const Catalog& catalog) {
  for (auto& [name, offer] : offers_) {
    if (offer.place.empty() || catalog.machine(offer.name)) {
      continue;
    }
    if (offer.accelerator.empty()) {
      return base::wrong(offer.place + "/machine",
                         fmt::format("{} is no machine of the catalogue", base::quoted(offer.name)),
                         "add its \"gpu\" and \"gpu_count\", or correct the name: vggplan machines");
    }
    const GpuChoice choice = TRY(catalog.find_gpu(offer.accelerator, offer.place + "/gpu"));
    offer.accelerator = choice.gpu.name;
  }
  return std::nullopt;
}

void PriceList::put_on(hardware::Machine& machine) const {
  if (const auto found = offers_.find(name_key(machine.name)); found != offers_.end()) {
    machine.price = found->second.on_demand;
    machine.spot_price = found->second.spot;
  }
}

std::vector<hardware::Machine> PriceList::others_with(std::string_view gpu, const Catalog& catalog) const {
  std::vector<hardware::Machine> machines;
  std::map<std::string, std::string> gpus;  // by accelerator: many machines share few
  for (const auto& [name, offer] : offers_) {
    const auto [known, added] = gpus.try_emplace(offer.accelerator);
    if (added) {
      known->second = gpu_of(offer.accelerator, catalog);
    }
    if (known->second != gpu || catalog.machine(offer.name)) {
      continue;
    }
    hardware::Machine machine;
    machine.name = offer.name;
    machine.gpu = gpu;
    machine.gpu_count = offer.count;
    machine.price = offer.on_demand;
    machine.spot_price = offer.spot;
    machines.push_back(std::move(machine));
  }
  return machines;
}

}  // namespace vggplan::catalog
