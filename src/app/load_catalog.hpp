// SPDX-License-Identifier: MIT
// The catalogue that a command works with: the records of the binary, and the user's own on top.
#pragma once

#include "app/options.hpp"
#include "vggplan/app/app.hpp"
#include "vggplan/base/result.hpp"
#include "vggplan/catalog/catalog.hpp"

namespace vggplan::app {

/// The built-in catalogue with --config-dir, --gpu-file and --calibration on top.
base::Result<catalog::Catalog> load_catalog(const Options& options, World& world);

}  // namespace vggplan::app
