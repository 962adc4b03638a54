// SPDX-License-Identifier: MIT
// What the planner proposes where nothing fits, with the real models.
#include <algorithm>
#include <set>
#include <tuple>

#include "support/catch.hpp"
#include "support/real_request.hpp"
#include "vggplan/base/format.hpp"
#include "vggplan/planner/plan.hpp"

namespace vggplan::planner {
namespace {

using estimate::Target;
using estimate::Verdict;

/// The job as it is, nothing open.
PlanRequest request_of(const job::Job& job, const std::string& gpu, base::Bytes usable) {
  PlanRequest request = support::request_for(job, gpu, job.parallel.gpus);
  support::settle(request, job);
  request.candidates.front().target.usable = usable;
  for (const char* other : {"t4", "a100-sxm4-80gb", "h200-sxm-141gb"}) {
    request.others.push_back(support::target(other));
  }
  return request;
}

job::Job large_job(std::int64_t batch) { return support::vgg16_on({3, 4024, 3036}, batch); }

/// A job that is mostly optimizer state.
job::Job small_job(std::int64_t gpus) {
  job::Job job = large_job(2);
  job.image = {3, 224, 224};
  job.optimizer = job::Optimizer::adamw;
  job.parallel.gpus = gpus;
  return job;
}

std::vector<Remedy> remedies_of(const PlanRequest& request) {
  const auto answer = plan(request, support::known_engine());
  REQUIRE(answer.has_value());
  REQUIRE_FALSE(answer->recommendation);
  return answer->remedies;
}

bool fits(const job::Job& job, const Target& target) {
  const auto answer = estimate::simulate_memory(job, target, support::known());
  return answer && answer->verdict == Verdict::fits;
}

template <class Holds>
bool some(const std::vector<Remedy>& remedies, const std::string& code, Holds holds) {
  return std::ranges::any_of(remedies, [&](const Remedy& r) { return r.code == code && holds(r.job); });
}

TEST_CASE("every kind of remedy is offered somewhere, and each is a job that a fresh simulation says fits") {
  const std::vector<PlanRequest> requests{
      request_of(large_job(2), "h200-sxm-141gb", base::kGiB * 39),
      request_of(large_job(4), "rtx-2080-ti", support::target("rtx-2080-ti").usable),
      request_of(large_job(1), "rtx-3070", support::target("rtx-3070").usable),
      request_of(small_job(1), "t4", base::kMiB * 2300),
      request_of(small_job(8), "t4", base::kMiB * 2300),
  };
  std::set<std::string> codes;
  for (const PlanRequest& request : requests) {
    for (const Remedy& remedy : remedies_of(request)) {
      Target target = request.candidates.front().target;
      if (remedy.code == "more-memory") {
        target = support::target(remedy.gpu);
      }
      INFO(target.gpu.name << ": " << remedy.change);
      CHECK(fits(remedy.job, target));
      CHECK_FALSE(remedy.change.empty());
      CHECK_FALSE(remedy.saves.empty());
      CHECK_FALSE(remedy.costs.empty());
      codes.insert(remedy.code);
    }
  }
  for (const char* code :
       {"precision", "pure-bf16", "layout", "checkpointing", "smaller-batch", "optimizer", "expandable-segments",
        "sharding", "more-memory", "tiles", "lower-resolution", "combination"}) {
    INFO(code);
    CHECK(codes.contains(code));
  }
}

// max_batch.jsonl: under 39 GiB, tf32 and nchw ran one image of 4024x3036, and each of these ran two.
TEST_CASE("what was measured to run under 39 GiB is among the remedies of what was not") {
  const auto remedies = remedies_of(request_of(large_job(2), "h200-sxm-141gb", base::kGiB * 39));
  CHECK(some(remedies, "layout", [](const job::Job& job) { return job.layout == base::Layout::nhwc; }));
  CHECK(some(remedies, "precision", [](const job::Job& job) { return job.precision == job::Precision::amp_bf16; }));
  CHECK(some(remedies, "checkpointing",
             [](const job::Job& job) { return job.checkpointing.kind == job::Checkpointing::Kind::block; }));
  CHECK(some(remedies, "expandable-segments", [](const job::Job& job) { return job.expandable_segments; }));
  CHECK(some(remedies, "smaller-batch", [](const job::Job& job) { return job.batch == 1 && job.accumulation == 2; }));
}

TEST_CASE("a combination holds nothing that it can do without, and keeps the global batch") {
  for (const char* gpu : {"rtx-2080-ti", "rtx-3070", "rtx-3080", "t4"}) {
    for (const std::int64_t batch : {2, 4, 6}) {
      const job::Job asked = large_job(batch);
      const Target target = support::target(gpu);
      for (const Remedy& remedy : remedies_of(request_of(asked, gpu, target.usable))) {
        if (remedy.code != "combination") {
          continue;
        }
        INFO(gpu << ": " << remedy.change);
        CHECK(job::global_batch(remedy.job) == batch);
        const auto needed = [&](auto field) {
          job::Job without = remedy.job;
          without.*field = asked.*field;
          CHECK((without == remedy.job || !fits(without, target)));
        };
        needed(&job::Job::precision);
        needed(&job::Job::layout);
        needed(&job::Job::checkpointing);
        needed(&job::Job::expandable_segments);
        needed(&job::Job::optimizer);
        needed(&job::Job::optimizer_impl);
      }
    }
  }
}

TEST_CASE("the smallest memory that a remedy names is enough, and a MiB less is not") {
  for (const std::int64_t batch : {2, 3}) {
    const auto remedies = remedies_of(request_of(large_job(batch), "h200-sxm-141gb", base::kGiB * 39));
    const auto more = std::ranges::find(remedies, "more-memory", &Remedy::code);
    REQUIRE(more != remedies.end());
    Target target = support::target("h200-sxm-141gb");
    const auto verdict = [&](base::Bytes usable) {
      target.usable = usable;
      return estimate::simulate_memory(large_job(batch), target, support::known())->verdict;
    };
    base::Bytes least = base::kGiB * 39;
    while (verdict(least) != Verdict::fits) {
      least += base::kMiB;
    }
    INFO(more->change);
    CHECK(more->change.find(base::format_bytes(least)) != std::string::npos);
  }
}

/// A run whose length or cost is limited, on up to so many GPUs.
PlanRequest run_of(const std::string& gpu, std::int64_t gpus, std::int64_t side, std::int64_t images) {
  PlanRequest request = support::request_for(support::vgg16_on({3, side, side}), gpu, gpus);
  request.candidates.front().exactly = false;
  request.job.data.images = images;
  request.job.data.epochs = 10;
  return request;
}

TEST_CASE("a deadline is held against whole steps, the last of an epoch too, and so is the choice") {
  for (const std::int64_t images : {100, 1000, 4024}) {
    for (const std::int64_t gpus : {1, 8}) {
      PlanRequest request = run_of("a100-sxm4-80gb", gpus, 512, images);
      const auto open = plan(request, support::known_engine());
      REQUIRE(open.has_value());
      REQUIRE(open->recommendation);
      const auto seconds = [&](const estimate::Estimate& e) {
        const std::int64_t step = e.job.batch * e.job.accumulation * e.job.parallel.gpus;
        const std::int64_t steps = (images + step - 1) / step * 10;
        return static_cast<double>(steps * step) / e.time.images_per_second.value;
      };
      const double best = seconds(open->recommendation->estimate);
      CHECK(open->recommendation->estimate.run->total.value.count() == Approx(best));
      CHECK(open->recommendation->figures.total->count() == Approx(best));
      CHECK(job::global_batch(open->recommendation->estimate.job) <= images);
      for (const auto* list : {&open->pareto, &open->alternatives}) {
        for (const Evaluated& other : *list) {
          CHECK(seconds(*support::known_engine().full(other.job, request.candidates.front().target)) >= best / 1.0101);
        }
      }
      request.deadline = base::Seconds(best * 1.0001);
      CHECK(plan(request, support::known_engine())->recommendation.has_value());
      request.deadline = base::Seconds(best * 0.98);
      const auto refused = plan(request, support::known_engine());
      CHECK_FALSE(refused->recommendation);
      CHECK(refused->failure->reason == "deadline");
    }
  }
}

TEST_CASE("what a remedy says to allow is enough when it is followed, and some percent less is not") {
  for (const auto& [gpu, gpus, side] :
       {std::tuple("h100-sxm5-80gb", 2, 4024), std::tuple("t4", 4, 1024), std::tuple("v100-sxm2-16gb", 3, 777)}) {
    PlanRequest request = run_of(gpu, gpus, side, 4024);
    request.deadline = base::Seconds(60);
    const auto late = plan(request, support::known_engine());
    const auto longer = std::ranges::find(late->remedies, "deadline", &Remedy::code);
    REQUIRE(longer != late->remedies.end());
    const auto allowed = base::parse_duration(longer->change.substr(std::string("allow ").size()), "");
    INFO(longer->change);
    REQUIRE(allowed.has_value());
    request.deadline = *allowed;
    CHECK(plan(request, support::known_engine())->recommendation.has_value());
    request.deadline = *allowed * 0.96;
    CHECK_FALSE(plan(request, support::known_engine())->recommendation.has_value());
    for (const Remedy& remedy : late->remedies) {
      CHECK((remedy.code != "more-gpus" || remedy.changes_training));
    }
  }
}

TEST_CASE("what runs only with cache flushes is not recommended, and every remedy does without") {
  PlanRequest request = run_of("a30", 1, 4024, 10'000);
  request.job.image.width = 3036;
  request.batch = 2;
  request.precision = job::Precision::amp_bf16;
  request.layout = base::Layout::nhwc;
  request.checkpointing = job::Checkpointing{};
  for (const bool limited : {false, true}) {
    request.deadline = limited ? std::optional(base::Seconds(1e7)) : std::nullopt;
    const auto refused = plan(request, support::known_engine());
    CHECK_FALSE(refused->recommendation);
    CHECK(refused->failure->reason == "cache-flushes");
    CHECK(refused->max_batch.at(0).hard == 2);
    CHECK_FALSE(refused->remedies.empty());
    for (const Remedy& remedy : refused->remedies) {
      CHECK(remedy.memory.verdict == Verdict::fits);
    }
  }
}

}  // namespace
}  // namespace vggplan::planner
