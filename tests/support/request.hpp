// SPDX-License-Identifier: MIT
#pragma once

#include "vggplan/planner/plan.hpp"

namespace vggplan::support {

/// The settings of a job, of which the planner may change none.
inline void settle(planner::PlanRequest& request, const job::Job& job) {
  request.batch = job.batch;
  request.precision = job.precision;
  request.layout = job.layout;
  request.checkpointing = job.checkpointing;
  request.sharding = job.parallel.sharding;
}

}  // namespace vggplan::support
