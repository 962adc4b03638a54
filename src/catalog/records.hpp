// SPDX-License-Identifier: MIT
// One record of each kind from the text of its file.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "vggplan/base/result.hpp"
#include "vggplan/graph/graph.hpp"
#include "vggplan/hardware/hardware.hpp"
#include "vggplan/lowering/framework.hpp"

namespace vggplan::catalog {

/// What spellings of one name have in common: Azure's documents write its sizes with and without "Standard_".
std::string name_key(std::string_view name);

/// `shown` is what errors call the file.
base::Result<hardware::Gpu> read_gpu(std::string_view text, const std::string& shown);
base::Result<hardware::Machine> read_machine(std::string_view text, const std::string& shown);
base::Result<hardware::Storage> read_storage(std::string_view text, const std::string& shown);
base::Result<std::vector<hardware::Link>> read_links(std::string_view text, const std::string& shown);
base::Result<std::vector<hardware::OtherGpu>> read_other_gpus(std::string_view text, const std::string& shown);
base::Result<graph::ModelSpec> read_model(std::string_view text, const std::string& shown);

/// The profile of that name.
using FindFramework = std::function<base::Result<lowering::Framework>(std::string_view name)>;

/// What a profile with `rules_of` does not say is as in the one that it names, which has to say all itself.
base::Result<lowering::Framework> read_framework(std::string_view text, const std::string& shown,
                                                 const FindFramework& find = {});

}  // namespace vggplan::catalog
