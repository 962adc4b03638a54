// SPDX-License-Identifier: MIT
// From typed results to reports. The keys are those of docs/interface.md.
#pragma once

#include "vggplan/estimate/estimate.hpp"
#include "vggplan/report/document.hpp"

namespace vggplan::report {

/// `timeline`: whether memory.timeline is wanted; it is long.
enum class Timeline { leave_out, include };

Document build_estimate(const estimate::Estimate& estimate, Timeline timeline = Timeline::leave_out);
Document build_layers(const estimate::Estimate& estimate);

}  // namespace vggplan::report
