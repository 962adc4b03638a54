// SPDX-License-Identifier: MIT
// What the catalogue knows that answers about some GPUs need.
#pragma once

#include <string>
#include <vector>

#include "app/options.hpp"
#include "vggplan/catalog/catalog.hpp"
#include "vggplan/estimate/run.hpp"

namespace vggplan::app {

/// The profile that --framework names, and the calibrations, links, storages, machines and prices that answers about
/// these GPUs need.
/// `named`: all GPUs that an answer may name and time, where these are more than those asked about.
base::Result<estimate::Knowledge> load_knowledge(const catalog::Catalog& catalog, const Options& options,
                                                 const std::vector<std::string>& gpus,
                                                 const std::vector<std::string>& named = {});

/// Prices of --price that change nothing in answers about these GPUs. A list of prices in a file is no such question.
std::vector<estimate::Warning> unused_prices(const Options& options, const std::vector<std::string>& gpus,
                                             const estimate::Knowledge& knowledge);

}  // namespace vggplan::app
