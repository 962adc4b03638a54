// SPDX-License-Identifier: MIT
// A made-up GPU world for tests of the planner: memory and time by short formulas that a test can also
// work out by itself. Nothing here resembles a real GPU.
#pragma once

#include <cstdint>
#include <string>

#include "support/vgg.hpp"
#include "vggplan/planner/plan.hpp"

namespace vggplan::support {

/// The formulas' coefficients.
struct World {
  double fixed{1000};   ///< bytes of parameters, gradients and optimizer state
  double state{300};    ///< of these, what sharding spreads
  double optimizer{0};  ///< bytes of one state of each parameter
  double buckets{50};   ///< more with several GPUs
  double image{100};    ///< bytes of one image of 100 x 100 pixels in tf32, nchw, without checkpointing
  double half{0.55};    ///< share of it under 16-bit precisions
  double nhwc{0.9};
  double checkpointed{0.4};
  double slack{1.15};          ///< reserved over allocated
  double flicker{0};           ///< random share of reserved memory on top, different for every batch
  double image_seconds{0.01};  ///< of one image in tf32, nchw
  double half_speed{0.6};      ///< share of that time under 16-bit precisions
  double nhwc_speed{0.85};
  double recompute{1.3};
  double launch{0.02};     ///< seconds of every micro-batch
  double update{0.004};    ///< seconds of the optimizer
  double exchange{0.01};   ///< seconds of communication with two GPUs; grows with the number
  double sharded{1};       ///< times that, where what is trained is spread over the GPUs
  double exposed{0};       ///< share of the communication that computing does not hide
  double input_rate{1e9};  ///< images per second that the input side can deliver, per GPU
  double range{0};         ///< by how much the upper end of what is reserved is above what is expected
  std::uint32_t seed{1};

  [[nodiscard]] double memory_of_image(const job::Job& job) const {
    double bytes = image * static_cast<double>(job.image.height * job.image.width) / 1e4;
    bytes *= job.precision == job::Precision::tf32 || job.precision == job::Precision::fp32 ? 1 : half;
    bytes *= job.layout == base::Layout::nhwc ? nhwc : 1;
    return bytes * (job.checkpointing.kind == job::Checkpointing::Kind::none ? 1 : checkpointed);
  }
  [[nodiscard]] double allocated(const job::Job& job) const {
    const auto gpus = static_cast<double>(job.parallel.gpus);
    double bytes = fixed + (gpus > 1 ? buckets : 0);
    const bool two = job.optimizer == job::Optimizer::adam || job.optimizer == job::Optimizer::adamw;
    bytes += optimizer * (two ? 2 : job.optimizer == job::Optimizer::sgd ? 0 : 1);
    if (gpus > 1 && job.parallel.sharding != job::Sharding::ddp) {
      bytes -= state * (1 - 1 / gpus);
    }
    return bytes + memory_of_image(job) * static_cast<double>(job.batch);
  }
  /// A number in [0, 1) that depends on batch and settings alone.
  [[nodiscard]] double noise(const job::Job& job) const {
    std::uint32_t h = seed * 2654435761U;
    for (const std::int64_t part :
         {job.batch, static_cast<std::int64_t>(job.precision), static_cast<std::int64_t>(job.layout),
          static_cast<std::int64_t>(job.checkpointing.kind), job.image.height}) {
      h = (h ^ static_cast<std::uint32_t>(part)) * 16777619U;
      h ^= h >> 13U;
    }
    return static_cast<double>(h % 10007U) / 10007;
  }
  [[nodiscard]] double reserved(const job::Job& job) const { return allocated(job) * (slack + flicker * noise(job)); }
  /// Reserved beyond the capacity means cache flushes; half the slack above it means no memory.
  [[nodiscard]] estimate::Verdict verdict(const job::Job& job, double usable) const {
    if (reserved(job) <= usable) {
      return estimate::Verdict::fits;
    }
    const double hard = allocated(job) * (1 + (slack - 1) / 2 + flicker * noise(job));
    return hard <= usable ? estimate::Verdict::fits_with_cache_flushes : estimate::Verdict::does_not_fit;
  }
  [[nodiscard]] double compute_seconds(const job::Job& job) const {
    double seconds = image_seconds * static_cast<double>(job.image.height * job.image.width) / 1e4;
    seconds *= job.precision == job::Precision::tf32 || job.precision == job::Precision::fp32 ? 1 : half_speed;
    seconds *= job.layout == base::Layout::nhwc ? nhwc_speed : 1;
    seconds *= job.checkpointing.kind == job::Checkpointing::Kind::none ? 1 : recompute;
    return static_cast<double>(job.accumulation) * (seconds * static_cast<double>(job.batch) + launch);
  }
  [[nodiscard]] double exchange_seconds(const job::Job& job) const {
    const auto gpus = static_cast<double>(job.parallel.gpus);
    const double all = gpus > 1 ? exchange * 2 * (gpus - 1) / gpus : 0;
    return all * (job.parallel.sharding == job::Sharding::ddp ? 1 : sharded);
  }
  [[nodiscard]] double step_seconds(const job::Job& job) const {
    return compute_seconds(job) + update + exchange_seconds(job);
  }
  [[nodiscard]] double images_per_second(const job::Job& job) const {
    const auto images = static_cast<double>(job::global_batch(job));
    return std::min(images / step_seconds(job), input_rate * static_cast<double>(job.parallel.gpus));
  }
  [[nodiscard]] bool starves(const job::Job& job) const {
    return images_per_second(job) * step_seconds(job) < 0.999 * static_cast<double>(job::global_batch(job));
  }
};

/// Dollars per hour and GPU by GPU name; none where the name is absent.
using Prices = std::map<std::string, double>;

inline estimate::Engine engine_of(const World& world, const Prices& prices = {}) {
  using base::Bytes;
  const auto bytes = [](double value) { return Bytes(static_cast<std::int64_t>(value)); };
  estimate::Engine engine;
  engine.memory_floor = [=](const job::Job& job, const estimate::Target&) { return bytes(world.allocated(job) * 0.9); };
  engine.memory = [=](const job::Job& job, const estimate::Target& target) -> base::Result<estimate::MemoryAnswer> {
    estimate::MemoryAnswer answer;
    answer.usable = target.usable;
    answer.verdict = world.verdict(job, target.usable.as_double());
    answer.run_peak = bytes(world.allocated(job));
    // Flushing keeps it at the limit.
    const bool flushes = answer.verdict == estimate::Verdict::fits_with_cache_flushes;
    answer.reserved_peak = flushes ? target.usable : bytes(world.reserved(job));
    answer.cache_flushes_per_step = answer.verdict == estimate::Verdict::fits_with_cache_flushes ? 3 : 0;
    if (answer.verdict == estimate::Verdict::does_not_fit) {
      answer.missing = std::max(Bytes(1), answer.run_peak - target.usable);
    }
    return answer;
  };
  engine.usable = [](const job::Job&, const estimate::Target& target) { return target.usable; };
  engine.reserved_high = [=](const job::Job& job, const estimate::Target&) -> base::Result<Bytes> {
    return bytes(world.reserved(job) * (1 + world.range));
  };
  engine.time_floor = [=](const job::Job& job, const estimate::Target&) -> base::Result<base::Seconds> {
    return base::Seconds(world.compute_seconds(job));
  };
  engine.time = [=](const job::Job& job, const estimate::Target& target) -> base::Result<estimate::TimeAnswer> {
    estimate::TimeAnswer answer;
    answer.step = base::Seconds(world.step_seconds(job));
    answer.images_per_second = world.images_per_second(job);
    answer.bound_by = world.starves(job) ? "workers" : "gpu";
    if (const auto price = prices.find(target.gpu.name); price != prices.end()) {
      answer.usd_per_hour = base::Usd(price->second * static_cast<double>(job.parallel.gpus));
    }
    return answer;
  };
  engine.full = [engine, world](const job::Job& job,
                                const estimate::Target& target) -> base::Result<estimate::Estimate> {
    estimate::Estimate full;
    full.job = job;
    full.target = target;
    const auto memory = engine.memory(job, target);
    full.memory.verdict = memory->verdict;
    full.memory.usable = memory->usable;
    full.memory.run_peak = base::exactly(memory->run_peak);
    full.memory.reserved_peak = base::exactly(memory->reserved_peak);
    const auto time = engine.time(job, target);
    full.time.step = full.time.iteration = base::exactly(time->step);
    full.time.images_per_second = base::exactly(time->images_per_second);
    full.time.bound_by = time->bound_by;
    full.time.communication_exposed = base::exactly(base::Seconds(world.exchange_seconds(job) * world.exposed));
    full.time.parallel_overhead = base::exactly(base::Seconds(world.exchange_seconds(job) * (1 - world.exposed)));
    full.time.model_flops_utilization = 0.01 * static_cast<double>(13 + job.batch % 70);
    full.input.workers = job.data.workers.value_or(4);
    full.input.workers_needed = world.starves(job) ? 4 + job.batch : 3;
    return full;
  };
  return engine;
}

inline planner::Candidate made_up_gpu(const std::string& name, std::int64_t usable, std::int64_t gpus,
                                      bool bf16 = true) {
  planner::Candidate candidate;
  candidate.target.gpu.name = name;
  candidate.target.gpu.fp32 = base::FlopsPerSecond(1e11);
  candidate.target.gpu.fp16_tensor = base::FlopsPerSecond(1e12);
  if (bf16) {
    candidate.target.gpu.bf16_tensor = base::FlopsPerSecond(1e12);
  }
  candidate.target.usable = base::Bytes(usable);
  candidate.gpus = gpus;
  return candidate;
}

inline job::Job small_job() {
  job::Job job;
  job.model = vgg(11);
  job.image = {3, 100, 100};
  return job;
}

/// One GPU, and nothing open but the batch.
inline planner::PlanRequest one_setting(std::int64_t usable) {
  planner::PlanRequest request;
  request.job = small_job();
  request.candidates = {made_up_gpu("a", usable, 1)};
  request.precision = job::Precision::tf32;
  request.layout = base::Layout::nchw;
  request.checkpointing = job::Checkpointing{};
  request.sharding = job::Sharding::ddp;
  request.solve_resolution = false;
  request.threads = 1;
  return request;
}

}  // namespace vggplan::support
