// SPDX-License-Identifier: MIT
// Parts that several kinds of report share.
#pragma once

#include <vector>

#include "vggplan/report/build.hpp"

namespace vggplan::report {

Document job_part(const job::Job& job);
Document machine_part(const estimate::Estimate& estimate);
Document model_part(const estimate::ModelSummary& model, job::Mode mode);
/// At most some thousands of points: of more, the highest of each short stretch, and of each phase in it.
Document timeline_part(const std::vector<estimate::TimelinePoint>& timeline);
Document storage_part(const estimate::StorageNeed& storage, job::Mode mode);
Document warnings_part(const std::vector<estimate::Warning>& warnings);
Document assumptions_part(const std::vector<estimate::Assumption>& assumptions);

/// What lists tell of an estimate.
Document short_memory_part(const estimate::Memory& memory);
Document short_time_part(const estimate::Time& time);

/// Settings that a plan may choose, in the order in which people name them.
Document settings_part(const job::Job& job, const std::string& gpu);
Document remedy_part(const planner::Remedy& remedy);

/// Everything of an estimate but the header: what `estimate` prints and `plan` recommends.
void add_estimate(Document& report, const estimate::Estimate& estimate,
                  const std::vector<estimate::Estimate>& by_batch);

}  // namespace vggplan::report
