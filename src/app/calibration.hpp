// SPDX-License-Identifier: MIT
// From measured rows to a calibration: where the words of a row become a job, and a job becomes ops.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "vggplan/base/result.hpp"
#include "vggplan/catalog/catalog.hpp"
#include "vggplan/catalog/measurements.hpp"
#include "vggplan/job/job.hpp"
#include "vggplan/timing/calibrate.hpp"

namespace vggplan::app {

base::Result<job::Job> job_of(const catalog::MeasuredStep& step, const catalog::Catalog& catalog);
base::Result<timing::StepSample> sample_of(const catalog::MeasuredStep& step, const catalog::Catalog& catalog);
base::Result<std::vector<timing::StepSample>> samples_of(std::span<const catalog::MeasuredStep> steps,
                                                         const catalog::Catalog& catalog);

/// Text for a person: what was fitted, how well, and on how many rows.
std::string describe(const timing::Fit& fit);

}  // namespace vggplan::app
