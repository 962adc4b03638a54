// SPDX-License-Identifier: MIT
// From a plan to a folder that runs it: the plan, a program that trains by it, and a file for each engine that can
// start that program. The texts are those of templates/, filled from the report.
#pragma once

#include <optional>
#include <vector>

#include "vggplan/launch/file.hpp"
#include "vggplan/report/document.hpp"

namespace vggplan::launch {

enum class Engine { torchrun, slurm, kubernetes, skypilot, dstack, accelerate };

/// The folder but for the plan itself, in the order in which it is told of; with an engine, without the files of the
/// others. `plan` is a report with a recommendation that trains.
std::vector<File> run_folder(const report::Document& plan, std::optional<Engine> engine);

}  // namespace vggplan::launch
