// SPDX-License-Identifier: MIT
#include "vggplan/timing/step_time.hpp"

#include <algorithm>

namespace vggplan::timing {
namespace {

base::Estimated<base::Seconds> around(double seconds, base::Basis basis) {
  const double margin = basis == base::Basis::calibrated ? 1.08 : 1.35;
  return {base::Seconds(seconds), base::Seconds(seconds / margin), base::Seconds(seconds * margin), basis};
}

}  // namespace

base::Seconds op_seconds(const Op& op, const hardware::Gpu& gpu, const Calibration& calibration) {
  const double bytes = op.bytes().as_double() / (gpu.memory_bandwidth.count() * calibration.bandwidth_efficiency);
  const auto peak = hardware::peak_rate(gpu, op.math);
  const double rate = peak ? peak->count() * calibration.compute_efficiency : 0.0;
  const double work = rate > 0.0 ? op.flops.as_double() / rate : 0.0;
  return base::Seconds(std::max(bytes, work) + 1e-6);
}

StepTime step_time(std::span<const Op> ops, const hardware::Gpu& gpu, const Calibration& calibration,
                   std::int64_t accumulation) {
  StepTime time;
  double forward = 0.0;
  double backward = 0.0;
  double optimizer = 0.0;
  double host = 0.0;
  for (const Op& op : ops) {
    const double seconds = op_seconds(op, gpu, calibration).count();
    const double repeats =
        op.phase == base::Phase::optimizer ? 1.0 : static_cast<double>(accumulation - (op.after_first ? 1 : 0));
    host += repeats * static_cast<double>(op.launches) * calibration.launch_seconds;
    (op.phase == base::Phase::forward ? forward : op.phase == base::Phase::backward ? backward : optimizer) +=
        repeats * seconds;
    if (op.layer != kNoLayer) {
      if (time.layers.size() <= op.layer) {
        time.layers.resize(op.layer + 1);
      }
      LayerSeconds& layer = time.layers[op.layer];
      (op.phase == base::Phase::forward ? layer.forward : layer.backward) += base::Seconds(seconds);
    }
  }
  time.device_busy = base::Seconds(forward + backward + optimizer);
  time.host_busy = base::Seconds(host);
  time.forward = around(forward, calibration.basis);
  time.backward = around(backward, calibration.basis);
  time.optimizer = around(optimizer, calibration.basis);
  time.step = around(std::max(forward + backward + optimizer, host), calibration.basis);
  return time;
}

}  // namespace vggplan::timing
