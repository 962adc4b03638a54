// SPDX-License-Identifier: MIT
// Why the recommendation is what it is, in sentences with numbers; and how to start it.
#pragma once

#include <string>
#include <vector>

#include "search.hpp"
#include "vggplan/planner/plan.hpp"

namespace vggplan::planner {

/// `limits`: of the chosen settings, where the batch was open.
std::vector<std::string> reasons(const PlanRequest& request, const Contender& chosen,
                                 const estimate::Estimate& estimate, const std::optional<Limits>& limits,
                                 const estimate::Engine& engine);

Launch launch_settings(const estimate::Estimate& estimate);

}  // namespace vggplan::planner
