// SPDX-License-Identifier: MIT
// Parts of calibrate().
#pragma once

#include <span>

#include "vggplan/timing/calibrate.hpp"

namespace vggplan::timing {

/// Rates of single ops, from single ops.
void fit_streams(std::span<const OpSample> ops, Calibration& calibration);
void fit_curves(std::span<const OpSample> ops, const hardware::Gpu& gpu, Calibration& calibration);

/// By which groups of ops differ in a step from what they take alone.
void fit_levels(std::span<const StepSample> steps, const hardware::Gpu& gpu, Calibration& calibration);

/// What the host costs and how far steps lie from the model, from whole steps.
void fit_host(std::span<const StepSample> steps, const hardware::Gpu& gpu, Calibration& calibration);
/// What collectives reach of their links, and what they cost the kernels beside them.
void fit_links(const Samples& samples, const hardware::Gpu& gpu, Calibration& calibration);
void fit_input(const Samples& samples, Calibration& calibration);
void fit_spread(std::span<const StepSample> steps, const hardware::Gpu& gpu, Calibration& calibration);

}  // namespace vggplan::timing
