// SPDX-License-Identifier: MIT
// Parts that several kinds of report share.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "vggplan/estimate/estimate.hpp"
#include "vggplan/report/build.hpp"

namespace vggplan::report {

Document job_part(const job::Job& job);
Document machine_part(const estimate::Estimate& estimate);
/// What is known of a machine besides its name and GPUs.
void add_machine_facts(Document& part, const hardware::Machine& machine);
Document model_part(const estimate::ModelSummary& model, job::Mode mode);
Document memory_part(const estimate::Estimate& estimate);
/// At most some thousands of points: of more, the highest of each short stretch, and of each phase in it.
Document timeline_part(const std::vector<estimate::TimelinePoint>& timeline);
Document byte_table(const std::vector<std::pair<std::string, base::Bytes>>& rows);
Document time_part(const estimate::Estimate& estimate);
Document input_part(const estimate::Input& input);
Document storage_part(const estimate::StorageNeed& storage, job::Mode mode);
Document run_part(const estimate::Run& run);
Document warnings_part(const std::vector<estimate::Warning>& warnings);
Document assumptions_part(const std::vector<estimate::Assumption>& assumptions);

/// Everything of an estimate but the header: what `estimate` prints and `plan` recommends.
void add_estimate(Document& report, const estimate::Estimate& estimate,
                  const std::vector<estimate::Estimate>& by_batch);
Document layer_rows(const estimate::Estimate& estimate);

}  // namespace vggplan::report
