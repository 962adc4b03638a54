// SPDX-License-Identifier: MIT
// Seconds of one training step on one GPU.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "vggplan/base/estimated.hpp"
#include "vggplan/base/units.hpp"
#include "vggplan/hardware/hardware.hpp"
#include "vggplan/timing/calibration.hpp"
#include "vggplan/timing/op.hpp"

namespace vggplan::timing {

struct LayerSeconds {
  base::Seconds forward{};
  base::Seconds backward{};  ///< with recomputation
};

struct StepTime {
  base::Estimated<base::Seconds> step{};  ///< back-to-back steps, as a training loop sees them
  /// One step on an idle GPU, phase by phase. Where the host is the bottleneck, their sum exceeds `step`.
  base::Estimated<base::Seconds> forward{};
  base::Estimated<base::Seconds> backward{};
  base::Estimated<base::Seconds> optimizer{};
  base::Seconds device_busy{};  ///< sum of the kernels
  /// Time the host needs to start them; from that of the fastest host that was measured to that of the slowest.
  base::Estimated<base::Seconds> host_busy{};
  bool host_decides{};  ///< the GPU waits for the host
  /// HostSpeed, where somebody measured it.
  std::optional<base::Estimated<base::Seconds>> host_operation{};
  std::vector<LayerSeconds> layers{};
};

/// All of a step `times` over.
StepTime repeated(StepTime step, std::int64_t times);

/// Kernel time of one op on an otherwise idle GPU, launch gaps left out.
base::Seconds op_seconds(const Op& op, const hardware::Gpu& gpu, const Calibration& calibration);

struct StepOptions {
  std::int64_t accumulation{1};  ///< micro-batches a step
  bool chosen_by_trial{false};   ///< cudnn.benchmark: kernels at least as fast as those that were measured
};

/// The ops are those of one micro-batch and the optimizer.
StepTime step_time(std::span<const Op> ops, const hardware::Gpu& gpu, const Calibration& calibration,
                   const StepOptions& options = {});

}  // namespace vggplan::timing
