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

const Document* find(const Leaves& leaves, const std::string& name);

}  // namespace vggplan::report
