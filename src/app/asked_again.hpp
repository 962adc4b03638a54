// SPDX-License-Identifier: MIT
// The question that a saved report answers, put again.
#pragma once

#include <map>
#include <string>

#include "app/session.hpp"
#include "vggplan/app/app.hpp"
#include "vggplan/report/document.hpp"

namespace vggplan::app {

/// Flags as they would be written to get a report again.
using Values = std::map<std::string, std::string, std::less<>>;

/// `report`: an estimate, or the recommendation of a plan.
Values flags_of(const report::Document& report);

base::Result<Asked> ask_again(const Values& values, World& world);

}  // namespace vggplan::app
