// SPDX-License-Identifier: MIT
// A report as a list of named values: "memory.reserved_peak_bytes".
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "vggplan/report/document.hpp"

namespace vggplan::report {

using Leaves = std::vector<std::pair<std::string, Document>>;

/// What was asked: the job and the machine.
Leaves inputs_of(const Document& report);
/// What was answered: figures by their central value, and the verdict.
Leaves figures_of(const Document& report);

/// The names in which two lists differ, in the order of the second, with what only the first has behind.
std::vector<std::string> differing(const Leaves& before, const Leaves& after);
const Document* find(const Leaves& leaves, const std::string& name);

}  // namespace vggplan::report
