// SPDX-License-Identifier: MIT
// Writes a compiled step to the tape, and lists its work.
#pragma once

#include "lowering/step.hpp"

namespace vggplan::lowering {

/// torch.compile's forward: of the network up to its outputs.
void compiled_forward(Step& step);
/// And its backward, from the gradients of the outputs to those of the parameters.
void compiled_backward(Step& step);

}  // namespace vggplan::lowering
