// SPDX-License-Identifier: MIT
// What a plan puts in the place of the placeholders.
#pragma once

#include "launch/fill.hpp"
#include "vggplan/report/document.hpp"

namespace vggplan::launch {

/// All but those of README.md. `plan` is a report with a recommendation.
Values values_of(const report::Document& plan);

}  // namespace vggplan::launch
