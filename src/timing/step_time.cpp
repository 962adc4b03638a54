// SPDX-License-Identifier: MIT
#include "vggplan/timing/step_time.hpp"

#include <algorithm>

#include "timing/host.hpp"
#include "timing/queue.hpp"
#include "timing/rates.hpp"
#include "timing/spread.hpp"

namespace vggplan::timing {
namespace {

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

StepTime repeated(StepTime step, std::int64_t times) {
  const auto factor = static_cast<double>(times);
  for (base::Estimated<base::Seconds>* part :
       {&step.step, &step.forward, &step.backward, &step.optimizer, &step.host_busy}) {
    *part = {part->value * factor, part->low * factor, part->high * factor, part->basis};
  }
  step.device_busy = step.device_busy * factor;
  for (LayerSeconds& layer : step.layers) {
    layer.forward = layer.forward * factor;
    layer.backward = layer.backward * factor;
  }
  return step;
}

StepTime step_time(std::span<const Op> ops, const hardware::Gpu& gpu, const Calibration& calibration,
                   const StepOptions& options) {
  return step_time(ops, op_times(ops, gpu, calibration), gpu, calibration, options);
}

StepTime step_time(std::span<const Op> ops, std::span<const OpTime> kernels, const hardware::Gpu& gpu,
                   const Calibration& calibration, const StepOptions& options) {
  StepTime time;
  double unmeasured = 0.0;
  Wavering either;
  double host = calibration.host.step_seconds;
  std::vector<Work> work;
  work.reserve(ops.size());
  for (std::size_t i = 0; i < ops.size(); ++i) {
    const Op& op = ops[i];
    work.push_back(work_of(op, kernels[i].seconds, calibration.host, calibration.host_speed));
    const double repeats = repeats_of(op, options.accumulation);
    time.device_busy += base::Seconds(repeats * work.back().device);
    host += repeats * work.back().host;
    unmeasured += kernels[i].measured && !op.stands_in ? 0.0 : repeats * work.back().device;
    const Wavering more = wavering(op, work.back().device);
    either.seconds += repeats * more.seconds;
    either.slow += repeats * more.slow;
    add_layer(time, op, repeats * work.back().device);
  }
  const double carried = unmeasured / std::max(time.device_busy.count(), 1e-12);
  Spread spread = widened(widened(calibration.*spread_kind(ops, gpu), carried), either, time.device_busy.count());
  constexpr double kMostCarried = 0.1;
  const base::Basis basis = carried > kMostCarried ? base::Basis::modelled : calibration.basis;
  if (options.chosen_by_trial) {
    constexpr double kMostGain = 0.06;  // seen in TF32 and 16 bits; true fp32 has room for more already
    spread.low -= kMostGain;
  }
  const Spread hosts = host_range(calibration);
  const auto queue = [&](double device, double slower) {
    return run_queue(work, calibration.host, options.accumulation, {device, slower});
  };
  const QueueTimes value = queue(1.0, 1.0);
  const QueueTimes low = queue(spread.low, hosts.low);
  const QueueTimes high = queue(spread.high, hosts.high);
  // While forward takes longer the host gets ahead, and a short phase behind it then waits for less.
  const auto quantity = [&](double middle, double at_low, double at_high) {
    const auto [least, most] = std::minmax({middle, at_low, at_high});
    return base::Estimated<base::Seconds>{base::Seconds(middle), base::Seconds(least), base::Seconds(most), basis};
  };
  time.step = quantity(value.step, low.step, high.step);
  time.forward = quantity(value.phases[0], low.phases[0], high.phases[0]);
  time.backward = quantity(value.phases[1], low.phases[1], high.phases[1]);
  time.optimizer = quantity(value.phases[2], low.phases[2], high.phases[2]);
  time.host_busy = quantity(host, host * hosts.low, host * hosts.high);
  if (const HostSpeed& speed = calibration.host_speed; speed.operation > 0.0) {
    time.host_operation = quantity(speed.operation, speed.low, speed.high);
  }
  time.host_decides = waits_for_host(value.step, time.device_busy.count());
  return time;
}

}  // namespace vggplan::timing
