// SPDX-License-Identifier: MIT
// What the kernels of an op spend their time on, where that is more than the bytes of its tensors.
#pragma once

#include "vggplan/timing/op.hpp"

namespace vggplan::timing {

/// Bytes that take an op's time: those of its tensors, and what waiting amounts to.
double kernel_bytes(const Op& op);

/// How many images of such a pool the GPU works on at a time.
double images_side_by_side(const Op& op);

}  // namespace vggplan::timing
