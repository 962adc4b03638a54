// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "vggplan/hardware/hardware.hpp"
#include "vggplan/timing/calibration.hpp"
#include "vggplan/timing/op.hpp"
#include "vggplan/timing/step_time.hpp"

namespace vggplan::timing {

/// The larger of work over the peak of its unit and bytes over the memory bandwidth; without copies.
double roofline_seconds(const Op& op, const hardware::Gpu& gpu);

/// The copies around a convolution that runs in tiles; 0 for all else.
double copy_seconds(const Op& op, const hardware::Gpu& gpu, const Calibration& calibration);

/// Class of the rate at which those copies run.
ShapeClass turning_of(base::DType type);

/// Kernel time of an op, and whether ops of its kind, layout and channels were timed, at whatever size.
struct OpTime {
  double seconds{};
  bool measured{};
};
OpTime op_time(const Op& op, const hardware::Gpu& gpu, const Calibration& calibration);
std::vector<OpTime> op_times(std::span<const Op> ops, const hardware::Gpu& gpu, const Calibration& calibration);

/// step_time.cpp: of ops whose kernels' times are at hand.
StepTime step_time(std::span<const Op> ops, std::span<const OpTime> kernels, const hardware::Gpu& gpu,
                   const Calibration& calibration, const StepOptions& options);

/// The entry of `table` for `shape`, if it was measured.
template <class Entry>
const Entry* find_exactly(const std::vector<Entry>& table, const ShapeClass& shape) {
  const auto at = std::lower_bound(table.begin(), table.end(), shape,
                                   [](const Entry& entry, const ShapeClass& key) { return entry.shape < key; });
  return at != table.end() && at->shape == shape ? &*at : nullptr;
}

/// Share of the roofline at a size, by its log2; beyond the ends the curve is flat.
double share_at(const ShareCurve& curve, double octave);

/// Part of an op's bytes that the L2 cache serves.
double cached_share(double touched, base::Bytes l2);

}  // namespace vggplan::timing
