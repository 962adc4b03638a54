// SPDX-License-Identifier: MIT
// Fits a Calibration to measured ops and steps. Deterministic: the same rows give the same bits.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "vggplan/hardware/hardware.hpp"
#include "vggplan/timing/calibration.hpp"
#include "vggplan/timing/op.hpp"

namespace vggplan::timing {

struct OpSample {
  Op op{};
  base::Seconds seconds{};  ///< of its kernels
};

/// A measured step on one GPU.
struct StepSample {
  std::string label{};
  std::vector<Op> ops{};
  base::Seconds step{};  ///< back to back
  base::Seconds forward{};
  base::Seconds backward{};
  base::Seconds optimizer{};
  bool chosen_by_trial{false};  ///< cudnn.benchmark: other kernels than the samples show
};

/// How well one part was fitted.
struct FitLine {
  std::string what{};
  std::size_t rows{};
  double median_error{};  ///< of |modelled / measured - 1|
  double worst_error{};
};

struct Fit {
  Calibration calibration{};
  std::vector<FitLine> lines{};
};

Fit calibrate(const hardware::Gpu& gpu, std::span<const OpSample> ops, std::span<const StepSample> steps);

}  // namespace vggplan::timing
