// SPDX-License-Identifier: MIT
// Files and folders that are written whole or not at all.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "vggplan/app/app.hpp"
#include "vggplan/base/result.hpp"
#include "vggplan/launch/file.hpp"

namespace vggplan::app {

/// The system's word on why `path` cannot be `what` ("read", "written"), and what can be done about it.
base::Diagnostic file_error(const std::string& path, std::string_view what, int reason);

/// Where links lead: the file behind a link is replaced, not the link.
std::string resolved(const std::string& path);

/// World::write_files on the real file system.
base::Status write_whole_files(const std::vector<TextFile>& files);

/// World::write_folder on the real file system; errors call the folder `shown`.
base::Status write_new_folder(const std::string& folder, const std::string& shown,
                              const std::vector<launch::File>& files, bool replace);

}  // namespace vggplan::app
