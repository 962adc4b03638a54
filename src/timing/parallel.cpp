// SPDX-License-Identifier: MIT
#include "vggplan/timing/parallel.hpp"

#include <algorithm>
#include <cmath>

#include "timing/rates.hpp"

namespace vggplan::timing {
namespace {

double seconds_of(Collective collective, base::Bytes bytes, const Fabric& fabric, const LinkRates& rates) {
  return collective_seconds(collective, bytes, fabric, rates).count();
}

base::Bytes total(const Exchange& exchange) {
  base::Bytes sum;
  for (const Gradient& gradient : exchange.gradients) {
    sum += gradient.bytes;
  }
  return sum;
}

/// Device time from the start of backward to the moment when each gradient is ready, in the order of `gradients`.
std::vector<double> ready_times(std::span<const Op> ops, std::span<const OpTime> kernels, const Exchange& exchange) {
  std::vector<double> done;  // by layer
  double clock = 0.0;
  for (std::size_t i = 0; i < ops.size(); ++i) {
    const Op& op = ops[i];
    if (op.phase != base::Phase::backward) {
      continue;
    }
    clock += kernels[i].seconds;
    if (op.layer != kNoLayer) {
      done.resize(std::max(done.size(), op.layer + 1));
      done[op.layer] = clock;
    }
  }
  std::vector<double> times;
  for (const Gradient& gradient : exchange.gradients) {
    times.push_back(gradient.layer < done.size() ? done[gradient.layer] : clock);
  }
  times.push_back(clock);
  return times;
}

/// What the collectives take, and what of it comes after the last kernel of backward.
struct Traffic {
  double communication{};
  double after{};   ///< sticks out behind backward, or stands between two phases
  double beside{};  ///< runs beside kernels, and slows them down
  double copies{};  ///< into and out of buffers
};

double copy_seconds(base::Bytes bytes, const hardware::Gpu& gpu) {
  constexpr double kCopyShare = 0.8;  // of the memory bandwidth, as the optimizer's passes reach
  return 2.0 * bytes.as_double() / (gpu.memory_bandwidth.count() * kCopyShare);
}

Traffic reduce_in_buckets(const Exchange& exchange, const std::vector<double>& ready, const Fabric& fabric,
                          const LinkRates& rates) {
  Traffic traffic;
  double end = 0.0;
  for (const Bucket& bucket : exchange.buckets) {
    const double duration = seconds_of(Collective::all_reduce, bucket.bytes, fabric, rates);
    end = std::max(end, ready[bucket.last]) + duration;
    traffic.communication += duration;
  }
  traffic.after = std::max(0.0, end - ready.back());
  traffic.beside = traffic.communication - traffic.after;
  return traffic;
}

Traffic ddp(const Exchange& exchange, const std::vector<double>& ready, const hardware::Gpu& gpu, const Fabric& fabric,
            const LinkRates& rates) {
  Traffic traffic = reduce_in_buckets(exchange, ready, fabric, rates);
  // Gradients are copied into their bucket and back; as views of the bucket they are divided in place.
  traffic.copies = (exchange.bucket_view ? 1.0 : 2.0) * copy_seconds(total(exchange), gpu);
  return traffic;
}

Traffic fsdp2(const Exchange& exchange, const std::vector<double>& ready, const hardware::Gpu& gpu,
              const Fabric& fabric, const LinkRates& rates) {
  Traffic traffic;
  base::Bytes rest;
  double end = 0.0;
  for (std::size_t i = 0; i < exchange.gradients.size(); ++i) {
    const Gradient& gradient = exchange.gradients[i];
    if (!gradient.is_unit) {
      rest += gradient.bytes;
      continue;
    }
    // Gathered beside the convolutions of forward; again at the start of backward, where nothing runs beside it.
    const double gather = seconds_of(Collective::all_gather, gradient.bytes, fabric, rates);
    const double scatter = seconds_of(Collective::reduce_scatter, gradient.bytes, fabric, rates);
    end = std::max(end, ready[i]) + scatter;
    traffic.communication += 2.0 * gather + scatter;
    traffic.beside += gather + scatter;
    traffic.after += gather;
  }
  const double gather = seconds_of(Collective::all_gather, rest, fabric, rates);
  const double scatter = seconds_of(Collective::reduce_scatter, rest, fabric, rates);
  traffic.communication += gather + scatter;
  const double tail = std::max(0.0, end - ready.back());
  traffic.beside -= tail;
  traffic.after += gather + tail + scatter;
  traffic.copies = 3.0 * copy_seconds(total(exchange), gpu);  // out of each gather, into the scatter
  const auto rounds = static_cast<double>(exchange.rounds);
  return {traffic.communication * rounds, traffic.after * rounds, traffic.beside * rounds, traffic.copies * rounds};
}

/// Expected excess of the slowest of `gpus` over the mean, in standard deviations of one.
double slowest(std::int64_t gpus) {
  // 0.56, 1.0, 1.4 and 3.3 for 2, 4, 8 and 512: within a tenth of the normal distribution's order statistics.
  return 0.564 * std::pow(std::log2(static_cast<double>(gpus)), 0.8);
}

base::Estimated<base::Seconds> plus(const base::Estimated<base::Seconds>& a, double seconds, double margin) {
  return {a.value + base::Seconds(seconds), a.low + base::Seconds(seconds * (1.0 - margin)),
          a.high + base::Seconds(seconds * (1.0 + margin)), a.basis};
}

using Seconds = base::Estimated<base::Seconds>;

template <class Get>
void average(ParallelTime& mean, std::span<const ParallelTime> steps, Get get) {
  Seconds sum{{}, {}, {}, base::Basis::exact};
  for (ParallelTime step : steps) {
    sum = sum + get(step);
  }
  const double share = 1.0 / static_cast<double>(steps.size());
  get(mean) = {sum.value * share, sum.low * share, sum.high * share, sum.basis};
}

}  // namespace

ParallelTime mean(std::span<const ParallelTime> steps) {
  ParallelTime mean = steps.back();
  for (Seconds StepTime::*part :
       {&StepTime::step, &StepTime::forward, &StepTime::backward, &StepTime::optimizer, &StepTime::host_busy}) {
    average(mean, steps, [part](ParallelTime& time) -> Seconds& { return time.step.*part; });
  }
  for (Seconds ParallelTime::*part : {&ParallelTime::communication, &ParallelTime::exposed, &ParallelTime::overhead}) {
    average(mean, steps, [part](ParallelTime& time) -> Seconds& { return time.*part; });
  }
  return mean;
}

OwnTime own_time(std::span<const Op> ops, const hardware::Gpu& gpu, const Calibration& calibration,
                 const StepOptions& options, const Exchange& exchange) {
  const std::vector<OpTime> kernels = op_times(ops, gpu, calibration);
  return {step_time(ops, kernels, gpu, calibration, options), ready_times(ops, kernels, exchange)};
}

ParallelTime parallel_step_time(const OwnTime& own, const hardware::Gpu& gpu, const Calibration& calibration,
                                const Exchange& exchange, const Fabric& fabric) {
  ParallelTime time;
  time.step = own.step;
  if (fabric.gpus < 2) {
    time.communication = time.exposed = time.overhead = base::exactly(base::Seconds(0.0), calibration.basis);
    return time;
  }
  const LinkRates& rates = calibration.links;
  Traffic traffic = exchange.sharding == base::Sharding::fsdp2 ? fsdp2(exchange, own.ready, gpu, fabric, rates)
                                                               : ddp(exchange, own.ready, gpu, fabric, rates);
  if (exchange.sharding == base::Sharding::zero1) {
    // Every GPU sends the parameters that it has updated to all others, after its step.
    const double broadcast = seconds_of(Collective::broadcast, total(exchange), fabric, rates);
    traffic.communication += broadcast;
    traffic.after += broadcast;
  }
  const double waiting = time.step.step.value.count() * rates.spread_share * slowest(fabric.gpus);
  const double overhead = traffic.copies + rates.overlap_share * traffic.beside + waiting;
  constexpr double kMargin = 0.4;
  const base::Estimated<base::Seconds> nothing{{}, {}, {}, calibration.basis};
  time.communication = plus(nothing, traffic.communication, kMargin);
  const double exposed = std::min(traffic.after, traffic.communication);  // sums on a clock round
  time.exposed = plus(nothing, exposed, kMargin);
  time.overhead = plus(nothing, overhead, kMargin);
  time.step.step = plus(time.step.step, exposed + overhead, kMargin);
  return time;
}

ParallelTime parallel_step_time(std::span<const Op> ops, const hardware::Gpu& gpu, const Calibration& calibration,
                                const StepOptions& options, const Exchange& exchange, const Fabric& fabric) {
  return parallel_step_time(own_time(ops, gpu, calibration, options, exchange), gpu, calibration, exchange, fabric);
}

}  // namespace vggplan::timing
