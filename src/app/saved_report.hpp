// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "vggplan/app/app.hpp"
#include "vggplan/report/document.hpp"

namespace vggplan::app {

/// The figures of a saved report: an estimate, or the recommendation of a plan.
base::Result<report::Document> read_comparable(const std::string& path, World& world);

}  // namespace vggplan::app
