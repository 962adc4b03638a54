// SPDX-License-Identifier: MIT
// Rules about cuDNN's workspaces in a framework's file.
#pragma once

#include <string_view>
#include <vector>

#include "catalog/read_record.hpp"
#include "vggplan/lowering/workspace_rule.hpp"

namespace vggplan::catalog {

std::vector<lowering::WorkspaceRule> read_workspace_rules(const ObjectReader& reader, std::string_view key);

}  // namespace vggplan::catalog
