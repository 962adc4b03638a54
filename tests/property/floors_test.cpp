// SPDX-License-Identifier: MIT
// What the planner rejects without a simulation must be what a simulation would reject.
#include <random>

#include "support/catch.hpp"
#include "support/known.hpp"
#include "support/random_job.hpp"
#include "vggplan/estimate/run.hpp"

namespace vggplan::estimate {
namespace {

using base::Bytes;

constexpr Bytes kBoundless = base::kGiB * (1 << 20);

Target with_capacity(Bytes usable) { return estimate::with_usable(support::target("h200-sxm-141gb"), usable); }

/// Calls check(job, engine) with that many random jobs that make sense.
template <class Check>
void for_random_jobs(std::uint32_t seed, int jobs, Check check) {
  std::mt19937 random(seed);
  const Engine engine = make_engine(support::known());
  for (int checked = 0; checked < jobs;) {
    const job::Job job = support::random_job(random, checked % 8 == 0 ? 2000 : 700);
    if (job::validate(job) || !engine.memory(job, with_capacity(kBoundless))) {
      continue;
    }
    INFO(support::description(job));
    check(job, engine);
    ++checked;
  }
}

TEST_CASE("the memory floor is never above what is reserved, and with a byte less than it no job fits") {
  for_random_jobs(41, 2000, [](const job::Job& job, const Engine& engine) {
    const Bytes floor = engine.memory_floor(job, with_capacity(kBoundless));
    CHECK(floor <= engine.memory(job, with_capacity(kBoundless))->reserved_peak);
    CHECK(engine.memory(job, with_capacity(floor - Bytes(1)))->verdict == Verdict::does_not_fit);
  });
}

TEST_CASE("the memory floor is never above what the run allocates, whenever the optimizer gets its state") {
  int late = 0;
  for_random_jobs(43, 400, [&](const job::Job& job, const Engine& engine) {
    const auto full = engine.full(job, with_capacity(kBoundless));
    REQUIRE(full.has_value());
    const Memory& memory = full->memory;
    const Bytes floor = engine.memory_floor(job, full->target);
    CHECK(floor <= memory.run_peak.value);
    late += memory.run_peak.value > memory.allocated_peak.value ? 1 : 0;
  });
  CHECK(late > 0);  // or the case that this is about was not among them
}

TEST_CASE("the same of other networks, whose segments have branches") {
  const Engine engine = make_engine(support::known());
  for (const char* name : {"resnet50", "densenet121", "mobilenet-v2", "unet-vgg16", "fcn8s-vgg16"}) {
    for (const char* how : {"none", "block", "seq:2", "seq:3"}) {
      INFO(name << ' ' << how);
      job::Job job;
      job.model = {.name = name, .architecture = name};
      job.image = {3, 128, 96};
      job.classes = 10;
      job.batch = 3;
      job.checkpointing = job::parse_checkpointing(how, "").value();
      const auto full = engine.full(job, with_capacity(kBoundless));
      REQUIRE(full.has_value());
      CHECK(engine.memory_floor(job, full->target) <= full->memory.run_peak.value);
    }
  }
}

TEST_CASE("the memory floor does not shrink when the batch or the image grows") {
  for_random_jobs(47, 400, [](const job::Job& job, const Engine& engine) {
    const auto floor = [&](const job::Job& other) { return engine.memory_floor(other, with_capacity(kBoundless)); };
    job::Job larger = job;
    ++larger.batch;
    CHECK(floor(larger) >= floor(job));
    larger = job;
    larger.image.height += 1;
    CHECK(floor(larger) >= floor(job));
    larger.image.width += 31;
    CHECK(floor(larger) >= floor(job));
  });
}

TEST_CASE("the time floor is never above the step's time, with any number of GPUs") {
  const Target other = support::target("a100-pcie-40gb");
  for_random_jobs(23, 300, [&](const job::Job& job, const Engine& engine) {
    for (const Target& target : {with_capacity(kBoundless), other}) {
      const auto time = engine.time(job, target);
      const auto floor = engine.time_floor(job, target);
      REQUIRE(time.has_value());
      REQUIRE(floor.has_value());
      CHECK(floor->count() <= time->step.count() * (1 + 1e-12));
      CHECK(time->images_per_second <= static_cast<double>(job::global_batch(job)) / floor->count() * (1 + 1e-12));
    }
  });
}

}  // namespace
}  // namespace vggplan::estimate
