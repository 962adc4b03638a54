// SPDX-License-Identifier: MIT
// Models that are files: members of the VGG family (vggplan schema model), and networks of any other kind.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "app/options.hpp"
#include "vggplan/app/app.hpp"
#include "vggplan/base/result.hpp"
#include "vggplan/graph/graph.hpp"

namespace vggplan::app {

/// Whether --model names a file, and not a model of the catalogue.
bool is_file_name(std::string_view model);

/// A network that is no VGG is called by its file, and `own` reads it for any image.
base::Result<graph::ModelSpec> read_model_file(const std::string& path, std::string_view place, World& world);

/// Fills in what is asked of a model besides its network for `image`: whether it has a batch norm, and its classes.
/// What the file does not tell, and what is taken instead; nothing for other models.
base::Result<std::vector<std::string>> describe_own(graph::ModelSpec& model, const graph::Shape& image,
                                                    std::int64_t& classes);

}  // namespace vggplan::app
