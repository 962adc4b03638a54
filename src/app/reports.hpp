// SPDX-License-Identifier: MIT
// Reports that commands start from, and the questions that they answer.
#pragma once

#include <map>
#include <string>

#include "app/run.hpp"
#include "app/session.hpp"
#include "vggplan/app/app.hpp"
#include "vggplan/report/document.hpp"

namespace vggplan::app {

/// A saved report, held to the schema.
base::Result<report::Document> read_report(const std::string& path, World& world);

/// The figures of one: an estimate, or the recommendation of a plan.
base::Result<report::Document> read_comparable(const std::string& path, World& world);

/// Walks from the job of `before` to that of `after`, one input at a time, and tells what each step changes: the
/// rows sum to the whole difference. Empty where fewer than two inputs differ. An error where the figures cannot be
/// had again from the inputs: another version or calibration wrote them, or a job on the way is not possible.
base::Result<report::Document> attribute(const report::Document& before, const report::Document& after, World& world);

/// Flags as they would be written to get a report again.
using Values = std::map<std::string, std::string, std::less<>>;

/// `report`: an estimate, or the recommendation of a plan.
Values flags_of(const report::Document& report);

/// The question that a saved report answers, put again.
base::Result<Asked> ask_again(const Values& values, World& world);

/// What `plan` answers to the request's options.
base::Result<report::Document> plan_report(const Request& request, World& world);

/// The command line that makes a run of the plan that these settings ask for: with all that flags, variables and a
/// named file say of the question. The files that are found hold in the same folder again.
std::string launch_command(const Settled& settled);

}  // namespace vggplan::app
