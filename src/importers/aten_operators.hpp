// SPDX-License-Identifier: MIT
// Operators of torch.ops.aten, and the nodes that they are.
#pragma once

#include <string_view>

#include "importers/aten_call.hpp"

namespace vggplan::importers::aten {

/// `target` is what the file calls: "torch.ops.aten.relu_.default". The call has the error, if there is one.
void run_operator(Call& call, std::string_view target);

}  // namespace vggplan::importers::aten
