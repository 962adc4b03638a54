// SPDX-License-Identifier: MIT
// What the catalogue knows that answers about some GPUs need.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "app/session.hpp"
#include "vggplan/base/format.hpp"
#include "vggplan/catalog/calibration.hpp"
#include "vggplan/timing/carry_over.hpp"

namespace vggplan::app {

namespace {

/// Names of the calibrations that time `gpus`: their own, or that of the measured GPU most alike.
base::Result<std::set<std::string>> calibrations_for(const catalog::Catalog& catalog,
                                                     const std::vector<std::string>& gpus) {
  const std::vector<std::string> names = catalog.names("calibration");
  std::vector<hardware::Gpu> measured;
  for (const std::string& name : names) {
    measured.push_back(TRY(catalog.gpu(name)));
  }
  std::set<std::string> wanted;
  if (measured.empty()) {
    return wanted;
  }
  for (const std::string& name : gpus) {
    const hardware::Gpu gpu = TRY(catalog.gpu(name));
    const bool own = std::find(names.begin(), names.end(), name) != names.end();
    wanted.insert(own ? name : names[timing::most_alike(measured, gpu)]);
  }
  return wanted;
}

/// The calibrations that the GPUs asked about need.
base::Status add_calibrations(const catalog::Catalog& catalog, const std::vector<std::string>& gpus,
                              estimate::Knowledge& knowledge) {
  const std::set<std::string> names = TRY(calibrations_for(catalog, gpus));
  for (const std::string& name : names) {
    hardware::Gpu gpu = TRY(catalog.gpu(name));
    knowledge.measured.push_back({std::move(gpu), TRY(catalog.calibration(name))});
  }
  return std::nullopt;
}

}  // namespace

base::Result<estimate::Knowledge> Session::knowledge(const Options& options,
                                                     const std::vector<std::string>& gpus) const {
  estimate::Knowledge knowledge;
  knowledge.framework = TRY(catalog_.framework(options.job.framework));
  TRY(add_calibrations(catalog_, gpus, knowledge));
  knowledge.links = TRY(catalog_.links());
  for (const std::string& name : catalog_.storage_names()) {
    knowledge.storages.push_back(TRY(catalog_.storage(name)));
  }
  for (const std::string& gpu : std::set<std::string>(gpus.begin(), gpus.end())) {
    std::vector<hardware::Machine> machines = TRY(catalog_.machines_with(gpu));
    knowledge.machines.insert(knowledge.machines.end(), machines.begin(), machines.end());
  }
  const std::vector<std::string> machine_names = catalog_.machine_names();
  for (const auto& [name, price] : options.prices) {
    if (std::find(machine_names.begin(), machine_names.end(), name) != machine_names.end()) {
      knowledge.prices[name] = price;
      continue;
    }
    const catalog::GpuChoice choice = TRY(catalog_.find_gpu(name, "--price"));
    knowledge.prices[choice.gpu.name] = price;
  }
  return knowledge;
}

std::vector<estimate::Warning> unused_prices(const Options& options, const std::vector<std::string>& gpus,
                                             const estimate::Knowledge& knowledge) {
  std::vector<estimate::Warning> warnings;
  // Those of GPUs that only remedies name are known as well.
  const auto takes_part = [&](const hardware::Machine& machine) {
    return std::ranges::find(gpus, machine.gpu) != gpus.end();
  };
  if (options.price_list && std::ranges::none_of(knowledge.machines, [&](const hardware::Machine& machine) {
        return takes_part(machine) && machine.price && machine.price->reference == *options.price_list;
      })) {
    warnings.push_back({"unused-prices",
                        fmt::format("{} has no {}price of a machine that takes part",
                                    base::printable(*options.price_list), options.spot ? "spot " : ""),
                        "vggplan machines --prices FILE tells what it has of the machines that are known"});
  }
  if (options.place("price") != "--price") {
    return warnings;
  }
  for (const auto& [name, price] : knowledge.prices) {
    const auto is_named = [&, &wanted = name](const hardware::Machine& machine) {
      return takes_part(machine) && machine.name == wanted;
    };
    const bool of_machine = std::ranges::any_of(knowledge.machines, is_named) && options.machine.value_or(name) == name;
    if (!of_machine && std::find(gpus.begin(), gpus.end(), name) == gpus.end()) {
      warnings.push_back({"unused-price", fmt::format("the price of {} is not used: it takes no part", name),
                          fmt::format("leave --price {} out, or name it with --gpus or --machine", name)});
    }
  }
  return warnings;
}

}  // namespace vggplan::app
