// SPDX-License-Identifier: MIT
#include <span>
#include <string>
#include <vector>

#include "app/session.hpp"
#include "app/values.hpp"
#include "vggplan/catalog/calibration.hpp"

namespace vggplan::app {

namespace {

base::Result<catalog::Catalog> with_calibration(const catalog::Catalog& catalog, const Options& options, World& world) {
  const std::string& path = *options.calibration;
  const std::string text =
      TRY(named_file(world.read_file(path), options.place("calibration"), "vggplan calibrate writes such files"));
  const auto calibration = TRY(catalog::read_calibration({text, path}));
  const catalog::ConfigFile file{"calibration/" + calibration.gpu + ".json", text, path};
  return catalog.with_overrides(std::span(&file, 1));
}

/// The files of --config-dir by their path in it: DIR/gpus/my-card.json is "gpus/my-card.json".
base::Result<std::vector<catalog::ConfigFile>> files_in(const std::string& folder, World& world) {
  std::vector<std::string> paths;
  const std::vector<std::string> top = TRY(world.list_folder(folder));
  for (const std::string& name : top) {
    if (name.ends_with(".json")) {
      paths.push_back(name);
    } else if (const auto inner = world.list_folder(folder + "/" + name)) {
      for (const std::string& file : *inner) {
        paths.push_back(name + "/" + file);
      }
    }
  }
  std::vector<catalog::ConfigFile> files;
  for (const std::string& path : paths) {
    if (!path.ends_with(".json")) {
      continue;
    }
    const std::string shown = folder + "/" + path;
    const std::string text = TRY(world.read_file(shown));
    files.push_back({path, text, shown});
  }
  return files;
}

base::Result<catalog::Catalog> with_prices(const catalog::Catalog& catalog, const Options& options, World& world) {
  catalog::PriceList prices;
  const catalog::AskedPrices asked{options.regions, options.spot, options.today, options.place("region")};
  if (options.price_list) {
    const std::string text = TRY(named_file(world.read_file(*options.price_list), options.place("prices"),
                                            "name a vms.csv of SkyPilot's catalogue, or JSON: vggplan schema prices"));
    prices = TRY(catalog::PriceList::read(text, *options.price_list, options.prices_date, asked));
  } else if (!options.prices_date.empty()) {
    return base::wrong(options.place("prices-date"), "is of a list of prices, and none is given",
                       "name it with --prices FILE");
  }
  return catalog.with_prices(std::move(prices), asked);
}

}  // namespace

base::Result<catalog::Catalog> load_catalog(const Options& options, World& world) {
  catalog::Catalog catalog = catalog::Catalog::built_in();
  if (options.config_dir) {
    const auto files = TRY(named_file(files_in(*options.config_dir, world), options.place("config-dir"),
                                      "name a folder with gpus/NAME.json, machines/NAME.json and the like"));
    catalog = TRY(catalog.with_overrides(files));
  }
  if (options.gpu_file) {
    const std::string text = TRY(named_file(world.read_file(*options.gpu_file), options.place("gpu-file"),
                                            "name a JSON file with a GPU; vggplan schema gpu tells its keys"));
    catalog = TRY(catalog.with_gpu_file({*options.gpu_file, text, *options.gpu_file}));
  }
  catalog = TRY(with_prices(catalog, options, world));
  return options.calibration ? with_calibration(catalog, options, world) : catalog;
}

}  // namespace vggplan::app
