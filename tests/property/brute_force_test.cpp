// SPDX-License-Identifier: MIT
// The planner's search against one that leaves nothing out, over random jobs and made-up GPUs.
#include <algorithm>
#include <random>
#include <tuple>

#include "support/catch.hpp"
#include "support/made_up.hpp"
#include "vggplan/planner/plan.hpp"

namespace vggplan::planner {
namespace {

using estimate::Verdict;
using job::Precision;
using job::Sharding;
using Kind = job::Checkpointing::Kind;
using support::World;

struct Entry {
  job::Job job{};
  std::size_t gpu{};
  double seconds_per_image{};
  double cost{};  ///< dollars or GPU-hours per image
  bool priced{};
  bool flushes{};
};

/// The question as plain nested loops: written without looking at the planner's own enumeration.
class BruteForce {
 public:
  BruteForce(const PlanRequest& request, const World& world, const support::Prices& prices)
      : request_(request), world_(world), prices_(prices) {}

  std::optional<Entry> best() {
    for (const bool flushing : {false, true}) {
      collect(flushing);
      if (!entries_.empty()) {
        break;
      }
    }
    return choose();
  }

 private:
  void collect(bool flushing) {
    for (std::size_t i = 0; i < request_.candidates.size(); ++i) {
      for (std::int64_t gpus = 1; gpus <= request_.candidates[i].gpus; ++gpus) {
        if (!request_.max_gpus || gpus <= *request_.max_gpus) {
          collect(i, gpus, flushing);
        }
      }
    }
  }

  void collect(std::size_t index, std::int64_t gpus, bool flushing) {
    const bool bf16 = request_.candidates[index].target.gpu.bf16_tensor.has_value();
    for (const Precision precision : {Precision::tf32, Precision::amp_bf16, Precision::amp_fp16}) {
      if ((precision == Precision::amp_bf16 && !bf16) || (precision == Precision::amp_fp16 && bf16)) {
        continue;
      }
      for (const auto layout : {base::Layout::nchw, base::Layout::nhwc}) {
        for (const Kind kind : {Kind::none, Kind::block}) {
          job::Job job = request_.job;
          job.precision = precision;
          job.layout = layout;
          job.checkpointing = {kind, 0};
          job.parallel.gpus = gpus;
          const bool ddp = batches(job, index, flushing);
          // Sharding is for jobs that need it: where DDP runs, it has to free room for one more image.
          const double freed = world_.state * (1 - 1 / static_cast<double>(gpus));
          const bool worth = !ddp || (!only_batch() && freed >= world_.memory_of_image(job));
          for (const Sharding sharding : {Sharding::zero1, Sharding::fsdp2}) {
            job.parallel.sharding = sharding;
            if (gpus > 1 && worth && !(sharding == Sharding::fsdp2 && layout == base::Layout::nhwc)) {
              batches(job, index, flushing);
            }
          }
        }
      }
    }
  }

  [[nodiscard]] bool only_batch() const { return request_.batch && !request_.global_batch; }

  /// Every batch that the request allows; true where one of them runs.
  bool batches(job::Job job, std::size_t index, bool flushing) {
    bool any = false;
    for (std::int64_t batch = 1; batch <= 64; ++batch) {
      if (request_.batch && *request_.batch != batch) {
        continue;
      }
      job.batch = batch;
      job.accumulation = 1;
      if (request_.global_batch) {
        if (*request_.global_batch % (batch * job.parallel.gpus) != 0) {
          continue;
        }
        job.accumulation = *request_.global_batch / (batch * job.parallel.gpus);
      }
      any |= consider(job, index, flushing);
    }
    return any;
  }

  bool consider(const job::Job& job, std::size_t index, bool flushing) {
    const auto& target = request_.candidates[index].target;
    const Verdict verdict = world_.verdict(job, target.usable.as_double());
    if (verdict == Verdict::does_not_fit || (verdict == Verdict::fits_with_cache_flushes && !flushing)) {
      return false;
    }
    Entry entry{job, index, 1 / world_.images_per_second(job), 0, false, verdict != Verdict::fits};
    const auto price = prices_.find(target.gpu.name);
    entry.priced = price != prices_.end();
    entry.cost =
        entry.seconds_per_image / 3600 * static_cast<double>(job.parallel.gpus) * (entry.priced ? price->second : 1);
    if (request_.deadline &&
        entry.seconds_per_image * static_cast<double>(*job.data.images) > request_.deadline->count()) {
      return true;
    }
    entries_.push_back(entry);
    return true;
  }

  [[nodiscard]] std::tuple<bool, std::int64_t, bool, double> aim(const Entry& e) const {
    switch (request_.objective) {
      case Objective::fastest: return {e.flushes, 0, false, e.seconds_per_image};
      case Objective::cheapest: return {e.flushes, 0, !e.priced, e.cost};
      case Objective::fewest_gpus: return {e.flushes, e.job.parallel.gpus, false, e.seconds_per_image};
    }
    return {};
  }

  std::optional<Entry> choose() const {
    if (entries_.empty()) {
      return std::nullopt;
    }
    const auto least = std::ranges::min(entries_, {}, [&](const Entry& e) { return aim(e); });
    std::optional<Entry> chosen;
    const auto simplicity = [](const Entry& e) {
      return std::tuple(e.job.parallel.gpus, e.job.parallel.sharding, e.job.checkpointing.kind, e.job.precision,
                        e.job.batch, e.job.accumulation, e.job.layout, e.gpu);
    };
    for (const Entry& e : entries_) {
      const auto [f, n, p, figure] = aim(e);
      const auto [bf, bn, bp, best] = aim(least);
      if (f == bf && n == bn && p == bp && figure <= 1.01 * best && (!chosen || simplicity(e) < simplicity(*chosen))) {
        chosen = e;
      }
    }
    return chosen;
  }

  const PlanRequest& request_;
  const World& world_;
  const support::Prices& prices_;
  std::vector<Entry> entries_{};
};

class Dice {
 public:
  explicit Dice(std::uint32_t seed) : random_(seed) {}
  double between(double low, double high) { return low + (high - low) * static_cast<double>(random_()) / 4294967295.0; }
  std::int64_t whole(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(random_()) % (high - low + 1);
  }
  bool coin() { return random_() % 2 == 0; }

 private:
  std::mt19937 random_;
};

World random_world(Dice& dice) {
  World world;
  world.fixed = dice.between(200, 3000);
  world.state = dice.between(0, world.fixed / 2);
  world.buckets = dice.between(0, 300);
  world.image = dice.between(250, 800);
  world.half = dice.between(0.5, 1);
  world.nhwc = dice.between(0.7, 1.1);
  world.checkpointed = dice.between(0.5, 0.9);
  world.slack = dice.between(1, 1.4);
  world.flicker = dice.coin() ? 0 : dice.between(0, 0.3);
  world.image_seconds = dice.between(0.001, 0.1);
  world.half_speed = dice.between(0.3, 1.1);
  world.nhwc_speed = dice.between(0.5, 1.2);
  world.recompute = dice.between(1.1, 1.4);
  world.launch = dice.between(0, 0.05);
  world.update = dice.between(0, 0.05);
  world.exchange = dice.between(0, 0.1);
  world.input_rate = dice.coin() ? 1e9 : dice.between(5, 200);
  world.seed = static_cast<std::uint32_t>(dice.whole(1, 1 << 30));
  return world;
}

/// Capacities for which the largest batch stays so small that every batch is a rung of the planner's ladder.
PlanRequest random_request(Dice& dice, support::Prices& prices) {
  PlanRequest request;
  request.job = support::small_job();
  const std::int64_t gpus = dice.whole(1, 3);
  for (std::int64_t i = 0; i < gpus; ++i) {
    const std::string name = "gpu" + std::to_string(i);
    request.candidates.push_back(support::made_up_gpu(name, dice.whole(500, 2600), dice.whole(1, 6), dice.coin()));
    if (dice.coin()) {
      prices[name] = dice.between(0.5, 5);
    }
  }
  request.objective = static_cast<Objective>(dice.whole(0, 2));
  if (dice.whole(0, 3) == 0) {
    request.global_batch = dice.whole(1, 24);
  } else if (dice.whole(0, 3) == 0) {
    request.batch = dice.whole(1, 5);
  }
  if (dice.whole(0, 3) == 0) {
    request.max_gpus = dice.whole(1, 4);
  }
  if (dice.whole(0, 3) == 0) {
    request.job.data.images = 1000;
    request.deadline = base::Seconds(dice.between(1, 100));
  }
  request.threads = static_cast<unsigned>(dice.whole(1, 3));
  return request;
}

TEST_CASE("the planner finds the winner that a search without shortcuts finds") {
  int answered = 0;
  int refused = 0;
  for (std::uint32_t seed = 1; seed <= 1500; ++seed) {
    Dice dice(seed);
    const World world = random_world(dice);
    support::Prices prices;
    const PlanRequest request = random_request(dice, prices);
    const auto planned = plan(request, support::engine_of(world, prices));
    REQUIRE(planned.has_value());
    const auto expected = BruteForce(request, world, prices).best();
    INFO("seed " << seed);
    REQUIRE(planned->recommendation.has_value() == expected.has_value());
    REQUIRE(planned->evaluated + planned->rejected_count == planned->enumerated);
    if (!expected) {
      ++refused;
      continue;
    }
    ++answered;
    const job::Job& job = planned->recommendation->estimate.job;
    CHECK(planned->recommendation->estimate.target.gpu.name == request.candidates[expected->gpu].target.gpu.name);
    CHECK(job.parallel.gpus == expected->job.parallel.gpus);
    CHECK(job.batch == expected->job.batch);
    CHECK(job.accumulation == expected->job.accumulation);
    CHECK(job.precision == expected->job.precision);
    CHECK(job.layout == expected->job.layout);
    CHECK(job.checkpointing == expected->job.checkpointing);
    CHECK(job.parallel.sharding == expected->job.parallel.sharding);
  }
  CHECK(answered > 500);
  CHECK(refused > 50);
}

TEST_CASE("the same question has the same answer, however many threads look for it") {
  for (std::uint32_t seed = 1; seed <= 40; ++seed) {
    Dice dice(seed);
    const World world = random_world(dice);
    support::Prices prices;
    PlanRequest request = random_request(dice, prices);
    request.threads = 1;
    const auto one = plan(request, support::engine_of(world, prices));
    request.threads = 4;
    const auto four = plan(request, support::engine_of(world, prices));
    REQUIRE(one->recommendation.has_value() == four->recommendation.has_value());
    if (one->recommendation) {
      CHECK(one->recommendation->estimate.job == four->recommendation->estimate.job);
      CHECK(one->recommendation->why == four->recommendation->why);
    }
    CHECK(one->enumerated == four->enumerated);
    CHECK(one->alternatives.size() == four->alternatives.size());
    CHECK(one->remedies.size() == four->remedies.size());
  }
}

}  // namespace
}  // namespace vggplan::planner
