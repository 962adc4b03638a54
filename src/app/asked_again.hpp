// SPDX-License-Identifier: MIT
// The question that a saved report answers, put again.
#pragma once

#include <map>
#include <string>

#include "app/knowledge.hpp"
#include "app/question.hpp"
#include "vggplan/app/app.hpp"
#include "vggplan/report/document.hpp"

namespace vggplan::app {

/// Flags as they would be written to get a report again.
using Values = std::map<std::string, std::string, std::less<>>;

/// `report`: an estimate, or the recommendation of a plan.
Values flags_of(const report::Document& report);

struct AskedAgain {
  EstimateQuestion question{};
  estimate::Knowledge knowledge{};
};
base::Result<AskedAgain> ask_again(const Values& values, const catalog::Catalog& catalog, World& world);

}  // namespace vggplan::app
