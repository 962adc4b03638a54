// SPDX-License-Identifier: MIT
// The engine's answers against the estimate's own. Its bounds: tests/property/floors_test.cpp.
#include <random>

#include "estimate/memory_part.hpp"
#include "support/catch.hpp"
#include "support/known.hpp"
#include "support/random_job.hpp"
#include "support/vgg.hpp"

namespace vggplan::estimate {
namespace {

TEST_CASE("remembered answers are those of a fresh estimate") {
  std::mt19937 random(29);
  const Engine engine = make_engine(support::known());
  const Target target = support::target("h200-sxm-141gb");
  int compared = 0;
  for (int round = 0; round < 100; ++round) {
    job::Job job = support::random_job(random);
    for (const std::int64_t gpus : {job.parallel.gpus, job.parallel.gpus + 1}) {
      job.parallel.gpus = gpus;
      if (job::validate(job)) {
        continue;
      }
      const auto memory = engine.memory(job, target);
      const auto fresh = simulate_memory(job, target, support::known());
      REQUIRE(memory.has_value() == fresh.has_value());
      if (!fresh) {
        continue;  // segments that cut the network badly
      }
      INFO(support::description(job));
      ++compared;
      CHECK(memory->verdict == fresh->verdict);
      CHECK(memory->run_peak == fresh->run_peak);
      CHECK(memory->reserved_peak == fresh->reserved_peak);
      const auto full = engine.full(job, target);
      REQUIRE(full.has_value());
      CHECK(full->memory.run_peak.value == memory->run_peak);
      if (memory->verdict != Verdict::does_not_fit) {
        CHECK(full->memory.reserved_peak.high.count() == engine.reserved_high(job, target)->count());
      }
      CHECK(full->time.step.value.count() == engine.time(job, target)->step.count());
      CHECK(full->time.images_per_second.value == engine.time(job, target)->images_per_second);
      CHECK(full->time.bound_by == engine.time(job, target)->bound_by);
    }
  }
  CHECK(compared > 50);
}

TEST_CASE("L-BFGS and images of several sizes: remembered answers are those of an estimate, and bounds hold") {
  const Engine engine = make_engine(support::known());
  const Target target = support::target("h200-sxm-141gb");
  job::Job job;
  job.model = support::vgg(11);
  job.image = {3, 96, 96};
  job.batch = 4;
  std::vector<job::Job> jobs(3, job);
  jobs[0].optimizer = job::Optimizer::lbfgs;
  jobs[0].lbfgs = {3, 2};
  jobs[1].sizes = {{3, 48, 64}, {3, 80, 80}, job.image};
  jobs[2].sizes = {{3, 64, 64}, job.image};
  for (const job::Job& each : jobs) {
    const auto full = engine.full(each, target).value();
    CHECK(full.memory.reserved_peak.value == engine.memory(each, target)->reserved_peak);
    CHECK(full.memory.reserved_peak.high == engine.reserved_high(each, target).value());
    CHECK(full.time.step.value.count() == engine.time(each, target)->step.count());
    CHECK(engine.memory_floor(each, target) <= full.memory.run_peak.value);
    CHECK(engine.time_floor(each, target)->count() <= full.time.step.value.count());
  }
  CHECK(engine.time(jobs[1], target)->step.count() != engine.time(jobs[2], target)->step.count());
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
