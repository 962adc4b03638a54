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

/// How fast the hosts of all steps are, as far as their rows tell.
void fit_host_speed(std::span<const StepSample> steps, Calibration& calibration);
/// What the host costs: from steps that leave the GPU idle, where there are some, otherwise from all.
void fit_host(std::span<const StepSample> steps, const hardware::Gpu& gpu, Calibration& calibration);
/// What collectives reach of their links, and what they cost the kernels beside them.
void fit_links(const Samples& samples, const hardware::Gpu& gpu, Calibration& calibration);
void fit_input(const Samples& samples, Calibration& calibration);
/// How far steps lie from the model.
void fit_spread(std::span<const StepSample> steps, const hardware::Gpu& gpu, Calibration& calibration);

}  // namespace vggplan::timing
