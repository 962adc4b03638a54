// SPDX-License-Identifier: MIT
// One record of each kind from the text of its file.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "vggplan/base/result.hpp"
#include "vggplan/catalog/record_file.hpp"
#include "vggplan/graph/graph.hpp"
#include "vggplan/hardware/hardware.hpp"
#include "vggplan/lowering/framework.hpp"

namespace vggplan::catalog {

/// What spellings of one name have in common: Azure's documents write its sizes with and without "Standard_".
std::string name_key(std::string_view name);

base::Result<hardware::Gpu> read_gpu(const RecordFile& file);
base::Result<hardware::Machine> read_machine(const RecordFile& file);
base::Result<hardware::Storage> read_storage(const RecordFile& file);
base::Result<std::vector<hardware::Link>> read_links(const RecordFile& file);
base::Result<std::vector<hardware::OtherGpu>> read_other_gpus(const RecordFile& file);
base::Result<graph::ModelSpec> read_model(const RecordFile& file);

/// The profile of that name.
using FindFramework = std::function<base::Result<lowering::Framework>(std::string_view name)>;

/// What a profile with `rules_of` does not say is as in the one that it names, which has to say all itself.
base::Result<lowering::Framework> read_framework(const RecordFile& file, const FindFramework& find = {});

}  // namespace vggplan::catalog
