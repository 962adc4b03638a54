// SPDX-License-Identifier: MIT
// Operators of ONNX (opsets 9 to 21), and how PyTorch's exporter writes modules with them.
#pragma once

#include "importers/onnx_call.hpp"

namespace vggplan::importers::onnx {

/// The operator of the call's node. The call has the error, if there is one.
void run_operator(Call& call);

}  // namespace vggplan::importers::onnx
