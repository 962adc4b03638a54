// SPDX-License-Identifier: MIT
// The engine's answers against the estimate's own, and its bounds against what they bound.
#include <random>

#include "estimate/memory_part.hpp"
#include "support/catch.hpp"
#include "support/known.hpp"
#include "support/vgg.hpp"

namespace vggplan::estimate {
namespace {

using base::Bytes;

job::Job random_job(std::mt19937& random) {
  const auto pick = [&](std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(random()) % (high - low + 1);
  };
  job::Job job;
  constexpr std::array<int, 4> kDepths{11, 13, 16, 19};
  job.model = support::vgg(kDepths[random() % 4], random() % 2 == 0);
  job.image = {random() % 4 == 0 ? 1 : 3, pick(64, 700), pick(64, 700)};
  job.batch = pick(1, 6);
  job.accumulation = random() % 4 == 0 ? 3 : 1;
  constexpr std::array kPrecisions{job::Precision::tf32, job::Precision::amp_bf16, job::Precision::amp_fp16,
                                   job::Precision::bf16};
  job.precision = kPrecisions[random() % 4];
  job.layout = random() % 2 == 0 ? base::Layout::nchw : base::Layout::nhwc;
  job.optimizer = static_cast<job::Optimizer>(random() % 4);
  job.head = static_cast<graph::Head>(random() % 3);
  job.checkpointing.kind = random() % 2 == 0 ? job::Checkpointing::Kind::none : job::Checkpointing::Kind::block;
  job.mode = random() % 6 == 0 ? job::Mode::infer : job::Mode::train;
  job.parallel.gpus = pick(1, 8);
  job.parallel.sharding = job.layout == base::Layout::nhwc ? static_cast<job::Sharding>(random() % 2)
                                                           : static_cast<job::Sharding>(random() % 3);
  return job;
}

TEST_CASE("the floor of the step's time is never more than the step, with any number of GPUs") {
  std::mt19937 random(23);
  const Engine engine = make_engine(support::known());
  for (const char* name : {"h200-sxm-141gb", "a100-pcie-40gb"}) {
    const Target target = support::target(name);
    for (int round = 0; round < 150; ++round) {
      const job::Job job = random_job(random);
      if (job::validate(job)) {
        continue;
      }
      const auto time = engine.time(job, target);
      const auto floor = engine.time_floor(job, target);
      REQUIRE(time.has_value());
      REQUIRE(floor.has_value());
      INFO(job.model.name << " " << job.image.height << "x" << job.image.width << " batch " << job.batch << " gpus "
                          << job.parallel.gpus << " sharding " << base::name_of_enum(job.parallel.sharding));
      CHECK(floor->count() <= time->step.count() * (1 + 1e-12));
      CHECK(time->images_per_second <= static_cast<double>(job::global_batch(job)) / floor->count() * (1 + 1e-12));
    }
  }
}

TEST_CASE("remembered answers are those of a fresh estimate") {
  std::mt19937 random(29);
  const Engine engine = make_engine(support::known());
  const Target target = support::target("h200-sxm-141gb");
  for (int round = 0; round < 60; ++round) {
    job::Job job = random_job(random);
    if (job::validate(job)) {
      continue;
    }
    for (const std::int64_t gpus : {job.parallel.gpus, job.parallel.gpus + 1}) {
      job.parallel.gpus = gpus;
      const auto memory = engine.memory(job, target);
      const auto fresh = simulate_memory(job, target, support::known());
      REQUIRE(memory.has_value());
      REQUIRE(fresh.has_value());
      CHECK(memory->verdict == fresh->verdict);
      CHECK(memory->allocated_peak == fresh->allocated_peak);
      CHECK(memory->reserved_peak == fresh->reserved_peak);
      const auto full = engine.full(job, target);
      REQUIRE(full.has_value());
      CHECK(full->memory.allocated_peak.value == memory->allocated_peak);
      CHECK(full->time.step.value.count() == engine.time(job, target)->step.count());
      CHECK(full->time.images_per_second.value == engine.time(job, target)->images_per_second);
      CHECK(full->time.bound_by == engine.time(job, target)->bound_by);
    }
  }
}

TEST_CASE("a job that makes no sense is an error of memory, time and estimate alike") {
  const Engine engine = make_engine(support::known());
  const Target target = support::target("h200-sxm-141gb");
  job::Job job;
  job.model = support::vgg(16);
  job.image = {3, 16, 16};
  CHECK_FALSE(engine.memory(job, target).has_value());
  CHECK_FALSE(engine.time(job, target).has_value());
  CHECK_FALSE(engine.full(job, target).has_value());
}

}  // namespace
}  // namespace vggplan::estimate
