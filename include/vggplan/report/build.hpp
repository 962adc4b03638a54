// SPDX-License-Identifier: MIT
// From typed results to reports. The keys are those of docs/interface.md.
#pragma once

#include "vggplan/estimate/estimate.hpp"
#include "vggplan/planner/plan.hpp"
#include "vggplan/report/document.hpp"

namespace vggplan::report {

/// `timeline`: whether memory.timeline is wanted; it is long.
enum class Timeline { leave_out, include };

Document build_estimate(const estimate::Estimate& estimate, Timeline timeline = Timeline::leave_out);
Document build_layers(const estimate::Estimate& estimate);

/// `request` is what `plan` answers: its goal and its candidates are reported beside the answer.
Document build_plan(const planner::Plan& plan, const planner::PlanRequest& request,
                    Timeline timeline = Timeline::leave_out);

}  // namespace vggplan::report
