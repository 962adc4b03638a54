// SPDX-License-Identifier: MIT
// Fitted coefficients of the timing model for one GPU. Data: configs/calibration/<gpu>.json.
#pragma once

#include <string>

#include "vggplan/base/estimated.hpp"

namespace vggplan::timing {

struct Calibration {
  std::string gpu{};  ///< name of the GPU that was measured
  base::Basis basis{base::Basis::modelled};
  double compute_efficiency{0.6};    ///< achieved share of the peak of matrix units
  double bandwidth_efficiency{0.75};  ///< achieved share of the memory bandwidth
  double launch_seconds{5e-6};       ///< host time to start one kernel
};

}  // namespace vggplan::timing
