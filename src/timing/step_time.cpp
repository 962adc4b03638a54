// SPDX-License-Identifier: MIT
#include "vggplan/timing/step_time.hpp"

#include <algorithm>
#include <array>

#include "timing/queue.hpp"

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

bool in_true_fp32(std::span<const Op> ops) {
  return std::any_of(ops.begin(), ops.end(),
                     [](const Op& op) { return op.kind == OpKind::conv_forward && op.math == base::MathMode::fp32; });
}

double repeats_of(const Op& op, std::int64_t micro_batches) {
  return op.phase == base::Phase::optimizer ? 1.0 : static_cast<double>(micro_batches - (op.after_first ? 1 : 0));
}

Spread spread_of(std::span<const Op> ops, const Calibration& calibration, bool host_bound, bool chosen_by_trial) {
  Spread spread = in_true_fp32(ops) ? calibration.spread_fp32
                  : host_bound      ? calibration.spread_host
                                    : calibration.spread;
  if (chosen_by_trial) {
    constexpr double kMostGain = 0.06;  // seen in TF32 and 16 bits; true fp32 has room for more already
    spread.low -= kMostGain;
  }
  return spread;
}

}  // namespace

StepTime step_time(std::span<const Op> ops, const hardware::Gpu& gpu, const Calibration& calibration,
                   const StepOptions& options) {
  StepTime time;
  std::vector<Work> work;
  work.reserve(ops.size());
  for (const Op& op : ops) {
    work.push_back(work_of(op, gpu, calibration));
    const double repeats = repeats_of(op, options.accumulation);
    time.device_busy += base::Seconds(repeats * work.back().device);
    time.host_busy += base::Seconds(repeats * work.back().host);
    add_layer(time, op, repeats * work.back().device);
  }
  const QueueTimes queue = run_queue(work, calibration.host, options.accumulation);
  const double bound = std::max(time.device_busy.count(), 1e-12);
  const bool host_bound = queue.step > 1.05 * bound;
  const Spread spread = spread_of(ops, calibration, host_bound, options.chosen_by_trial);
  time.step = within(queue.step, spread, calibration.basis);
  time.forward = within(queue.phases[0], spread, calibration.basis);
  time.backward = within(queue.phases[1], spread, calibration.basis);
  time.optimizer = within(queue.phases[2], spread, calibration.basis);
  return time;
}

}  // namespace vggplan::timing
