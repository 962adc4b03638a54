// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "vggplan/base/result.hpp"
#include "vggplan/launch/file.hpp"

namespace vggplan::app {

/// World::write_folder on the real file system; errors call the folder `shown`.
base::Status write_new_folder(const std::string& folder, const std::string& shown,
                              const std::vector<launch::File>& files, bool replace);

}  // namespace vggplan::app
