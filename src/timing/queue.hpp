// SPDX-License-Identifier: MIT
// Host and GPU as two clocks: the host starts ops one after the other, the GPU runs each as soon as it
// is started and the one before is done.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "vggplan/timing/calibration.hpp"
#include "vggplan/timing/op.hpp"

namespace vggplan::timing {

/// Seconds of one op on either side.
struct Work {
  base::Phase phase{base::Phase::forward};
  double host{};
  double device{};          ///< kernels and the gaps between them
  bool waits{false};        ///< the host reads a result before it goes on
  bool after_first{false};  ///< see Op
};

/// `kernel_seconds`: the time of its kernels.
Work work_of(const Op& op, double kernel_seconds, const HostCosts& costs, const HostSpeed& speed);

struct QueueTimes {
  double step{};                   ///< one of many back-to-back steps
  std::array<double, 3> phases{};  ///< forward, backward, optimizer of one step on an idle GPU
};

/// By which factors all kernels, and all that the host does, take longer.
struct Scale {
  double device{1.0};
  double host{1.0};
};

/// `work` is one micro-batch, the optimizer last; phases count all micro-batches.
QueueTimes run_queue(std::span<const Work> work, const HostCosts& costs, std::int64_t accumulation,
                     const Scale& scale = {});

/// What the host alone takes for forward, backward and optimizer of one step.
std::array<double, 3> host_phases(std::span<const Work> work, const HostCosts& costs);

}  // namespace vggplan::timing
