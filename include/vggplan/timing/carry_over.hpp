// SPDX-License-Identifier: MIT
// Coefficients for a GPU that nobody measured, from those of one that was.
#pragma once

#include "vggplan/hardware/hardware.hpp"
#include "vggplan/timing/calibration.hpp"

namespace vggplan::timing {

/// `measured` is of `from`. Shares of the roofline stay, sizes are taken in proportion to the number of SMs,
/// memory-bound rates follow bandwidth or, where instructions bound them, SMs and clock. Convolutions without
/// tensor cores for their type run as Winograd. The basis is `modelled` and the spread wide.
Calibration carry_over(const Calibration& measured, const hardware::Gpu& from, const hardware::Gpu& to);

}  // namespace vggplan::timing
