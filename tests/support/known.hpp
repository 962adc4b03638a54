// SPDX-License-Identifier: MIT
// What the built-in catalogue knows, put together as the program does it.
#pragma once

#include <map>
#include <string>

#include "support/lowered.hpp"
#include "vggplan/catalog/calibration.hpp"
#include "vggplan/catalog/catalog.hpp"
#include "vggplan/estimate/run.hpp"

namespace vggplan::support {

inline const catalog::Catalog& built_in_catalog() {
  static const catalog::Catalog catalog = catalog::Catalog::built_in();
  return catalog;
}

inline hardware::Gpu gpu(const std::string& name) { return built_in_catalog().gpu(name).value(); }

inline estimate::Target target(const std::string& name) {
  estimate::Target target;
  target.gpu = gpu(name);
  target.usable = target.gpu.usable_memory();
  return target;
}

/// As stored, of a GPU that was measured; read once.
inline const timing::Calibration& calibration(const std::string& gpu) {
  static std::map<std::string, timing::Calibration> known;
  const auto found = known.find(gpu);
  if (found != known.end()) {
    return found->second;
  }
  const auto text = built_in_catalog().text("calibration", gpu).value();
  return known.emplace(gpu, catalog::read_calibration({text, gpu, true}).value()).first->second;
}

inline const estimate::Knowledge& known() {
  static const estimate::Knowledge knowledge = [] {
    const catalog::Catalog& catalog = built_in_catalog();
    const std::string measured = "h200-sxm-141gb";
    estimate::Knowledge k;
    k.framework = built_in_framework();
    k.measured.push_back({gpu(measured), calibration(measured)});
    k.links = catalog.links().value();
    for (const std::string& name : catalog.storage_names()) {
      k.storages.push_back(catalog.storage(name).value());
    }
    return k;
  }();
  return knowledge;
}

}  // namespace vggplan::support
