// SPDX-License-Identifier: MIT
// Coefficients for a GPU that nobody measured, from those of one that was.
#pragma once

#include <cstddef>
#include <span>

#include "vggplan/hardware/hardware.hpp"
#include "vggplan/timing/calibration.hpp"

namespace vggplan::timing {

/// The one of `measured` (not empty) to carry over from to `gpu`: that with the most similar bandwidth for its
/// arithmetic, so that the same operations wait for memory on both. The first where several are as close.
std::size_t most_alike(std::span<const hardware::Gpu> measured, const hardware::Gpu& gpu);

/// As sure as what is carried over from another GPU: for versions of the framework that nobody timed.
void mark_unmeasured(Calibration& calibration);

/// `measured` is of `from`. Shares of the roofline stay, sizes are taken in proportion to the number of SMs,
/// memory-bound rates follow bandwidth or, where instructions bound them, SMs and clock. Convolutions without
/// tensor cores for their type run as Winograd. The basis is `modelled` and the spread wide.
Calibration carry_over(const Calibration& measured, const hardware::Gpu& from, const hardware::Gpu& to);

}  // namespace vggplan::timing
