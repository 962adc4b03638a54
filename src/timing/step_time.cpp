// SPDX-License-Identifier: MIT
#include "vggplan/timing/step_time.hpp"

#include <algorithm>

#include "timing/queue.hpp"
#include "timing/rates.hpp"
#include "timing/spread.hpp"

namespace vggplan::timing {
namespace {

base::Estimated<base::Seconds> within(double seconds, const Spread& spread, base::Basis basis) {
  return {base::Seconds(seconds), base::Seconds(seconds * spread.low), base::Seconds(seconds * spread.high), basis};
}

void add_layer(StepTime& time, const Op& op, double seconds) {
  if (op.layer == kNoLayer) {
    return;
  }
  if (time.layers.size() <= op.layer) {
    time.layers.resize(op.layer + 1);
  }
  LayerSeconds& layer = time.layers[op.layer];
  (op.phase == base::Phase::forward ? layer.forward : layer.backward) += base::Seconds(seconds);
}

double repeats_of(const Op& op, std::int64_t micro_batches) {
  return op.phase == base::Phase::optimizer ? 1.0 : static_cast<double>(micro_batches - (op.after_first ? 1 : 0));
}

}  // namespace

StepTime step_time(std::span<const Op> ops, const hardware::Gpu& gpu, const Calibration& calibration,
                   const StepOptions& options) {
  StepTime time;
  double unmeasured = 0.0;
  std::vector<Work> work;
  work.reserve(ops.size());
  for (const Op& op : ops) {
    const OpTime kernels = op_time(op, gpu, calibration);
    work.push_back(work_of(op, kernels.seconds, calibration.host));
    const double repeats = repeats_of(op, options.accumulation);
    time.device_busy += base::Seconds(repeats * work.back().device);
    time.host_busy += base::Seconds(repeats * work.back().host);
    unmeasured += kernels.measured ? 0.0 : repeats * work.back().device;
    add_layer(time, op, repeats * work.back().device);
  }
  const QueueTimes queue = run_queue(work, calibration.host, options.accumulation);
  const Spread kind =
      calibration.*spread_kind(ops, gpu, queue.step, {time.device_busy.count(), time.host_busy.count()});
  const double carried = unmeasured / std::max(time.device_busy.count(), 1e-12);
  Spread spread = widened(kind, carried);
  constexpr double kMostCarried = 0.1;
  const base::Basis basis = carried > kMostCarried ? base::Basis::modelled : calibration.basis;
  if (options.chosen_by_trial) {
    constexpr double kMostGain = 0.06;  // seen in TF32 and 16 bits; true fp32 has room for more already
    spread.low -= kMostGain;
  }
  time.step = within(queue.step, spread, basis);
  time.forward = within(queue.phases[0], spread, basis);
  time.backward = within(queue.phases[1], spread, basis);
  time.optimizer = within(queue.phases[2], spread, basis);
  return time;
}

}  // namespace vggplan::timing
