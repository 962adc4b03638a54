// SPDX-License-Identifier: MIT
#include "app/knowledge.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

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
    const base::Result<hardware::Gpu> gpu = catalog.gpu(name);
    if (!gpu) {
      return gpu.error();
    }
    measured.push_back(*gpu);
  }
  std::set<std::string> wanted;
  if (measured.empty()) {
    return wanted;
  }
  for (const std::string& name : gpus) {
    const base::Result<hardware::Gpu> gpu = catalog.gpu(name);
    if (!gpu) {
      return gpu.error();
    }
    const bool own = std::find(names.begin(), names.end(), name) != names.end();
    wanted.insert(own ? name : names[timing::most_alike(measured, *gpu)]);
  }
  return wanted;
}

/// The calibrations that the GPUs asked about need.
base::Status add_calibrations(const catalog::Catalog& catalog, const std::vector<std::string>& gpus,
                              estimate::Knowledge& knowledge) {
  const base::Result<std::set<std::string>> names = calibrations_for(catalog, gpus);
  if (!names) {
    return names.error();
  }
  for (const std::string& name : *names) {
    const base::Result<std::string_view> rates = catalog.text("calibration", name);
    base::Result<hardware::Gpu> gpu = catalog.gpu(name);
    if (!rates || !gpu) {
      return rates ? gpu.error() : rates.error();
    }
    base::Result<timing::Calibration> calibration =
        catalog::read_calibration(*rates, catalog.shown("calibration", name));
    if (!calibration) {
      return calibration.error();
    }
    knowledge.measured.push_back({std::move(*gpu), std::move(*calibration)});
  }
  return std::nullopt;
}

}  // namespace

base::Result<estimate::Knowledge> load_knowledge(const catalog::Catalog& catalog, const Options& options,
                                                 const std::vector<std::string>& gpus,
                                                 const std::vector<std::string>& named) {
  estimate::Knowledge knowledge;
  base::Result<lowering::Framework> framework = catalog.framework(options.framework);
  if (!framework) {
    return framework.error();
  }
  knowledge.framework = std::move(*framework);
  if (base::Status error = add_calibrations(catalog, named.empty() ? gpus : named, knowledge)) {
    return *error;
  }
  if (base::Result<std::vector<hardware::Link>> links = catalog.links(); links) {
    knowledge.links = std::move(*links);
  } else {
    return links.error();
  }
  for (const std::string& name : catalog.storage_names()) {
    base::Result<hardware::Storage> storage = catalog.storage(name);
    if (!storage) {
      return storage.error();
    }
    knowledge.storages.push_back(std::move(*storage));
  }
  for (const std::string& gpu : std::set<std::string>(gpus.begin(), gpus.end())) {
    base::Result<std::vector<hardware::Machine>> machines = catalog.machines_with(gpu);
    if (!machines) {
      return machines.error();
    }
    knowledge.machines.insert(knowledge.machines.end(), machines->begin(), machines->end());
  }
  knowledge.today = options.today;
  const std::vector<std::string> machine_names = catalog.machine_names();
  for (const auto& [name, price] : options.prices) {
    if (std::find(machine_names.begin(), machine_names.end(), name) != machine_names.end()) {
      knowledge.prices[name] = price;
      continue;
    }
    const base::Result<catalog::GpuChoice> choice = catalog.find_gpu(name, "--price");
    if (!choice) {
      return choice.error();
    }
    knowledge.prices[choice->gpu.name] = price;
  }
  return knowledge;
}

std::vector<estimate::Warning> unused_prices(const Options& options, const std::vector<std::string>& gpus,
                                             const estimate::Knowledge& knowledge) {
  std::vector<estimate::Warning> warnings;
  if (options.price_list &&
      std::none_of(knowledge.machines.begin(), knowledge.machines.end(), [&](const auto& machine) {
        return machine.price && machine.price->reference == *options.price_list;
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
    const auto is_named = [&name = name](const hardware::Machine& machine) { return machine.name == name; };
    const bool of_machine = std::any_of(knowledge.machines.begin(), knowledge.machines.end(), is_named) &&
                            options.machine.value_or(name) == name;
    if (!of_machine && std::find(gpus.begin(), gpus.end(), name) == gpus.end()) {
      warnings.push_back({"unused-price", fmt::format("the price of {} is not used: it takes no part", name),
                          fmt::format("leave --price {} out, or name it with --gpus or --machine", name)});
    }
  }
  return warnings;
}

}  // namespace vggplan::app
