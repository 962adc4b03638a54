// SPDX-License-Identifier: MIT
// The planner's search against one that leaves nothing out, over random jobs and made-up GPUs.
#include <algorithm>
#include <cmath>
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
};

/// The question as plain nested loops: written without looking at the planner's own enumeration.
class BruteForce {
 public:
  BruteForce(const PlanRequest& request, const World& world, const support::Prices& prices)
      : request_(request), world_(world), prices_(prices) {}

  std::optional<Entry> best() {
    collect();
    return choose();
  }

 private:
  void collect() {
    for (std::size_t i = 0; i < request_.candidates.size(); ++i) {
      const Candidate& c = request_.candidates[i];
      for (std::int64_t gpus = 1; gpus <= c.gpus; ++gpus) {
        // Up to a machine any number, beyond it whole machines; the number that was asked for in any case.
        const bool tried = gpus == c.gpus || (!c.exactly && (gpus <= c.per_node || gpus % c.per_node == 0));
        if (tried && (!request_.max_gpus || gpus <= *request_.max_gpus)) {
          collect(i, gpus);
        }
      }
    }
  }

  [[nodiscard]] bool offered(const job::Job& job, bool bf16) const {
    if (request_.precision) {
      const bool wants_bf16 = job.precision == Precision::amp_bf16 || job.precision == Precision::bf16;
      return job.precision == *request_.precision && (bf16 || !wants_bf16);
    }
    const bool better = job.precision == Precision::amp_fp16 && bf16;  // bfloat16 is there, and safer
    const bool possible = job.precision == Precision::tf32 || job.precision == Precision::amp_fp16 ||
                          (job.precision == Precision::amp_bf16 && bf16);
    return possible && !better;
  }

  void collect(std::size_t index, std::int64_t gpus) {
    const Candidate& candidate = request_.candidates[index];
    job::Job job = request_.job;
    job.parallel.gpus = gpus;
    job.parallel.nodes = (gpus + candidate.per_node - 1) / candidate.per_node;
    for (const Precision precision :
         {Precision::fp32, Precision::tf32, Precision::amp_bf16, Precision::amp_fp16, Precision::bf16}) {
      for (const auto layout : {base::Layout::nchw, base::Layout::nhwc}) {
        for (const Kind kind : {Kind::none, Kind::block}) {
          job.precision = precision;
          job.layout = layout;
          job.checkpointing = {kind, 0};
          const bool fixed = (request_.layout && layout != *request_.layout) ||
                             (request_.checkpointing && kind != request_.checkpointing->kind);
          if (!fixed && offered(job, candidate.target.gpu.bf16_tensor.has_value())) {
            shardings(job, index);
          }
        }
      }
    }
  }

  void shardings(job::Job job, std::size_t index) {
    if (job.parallel.gpus % job.parallel.nodes != 0) {
      return;  // machines that are not equally full
    }
    if (request_.sharding) {
      if (job.parallel.gpus == 1 && *request_.sharding != Sharding::ddp) {
        return;  // nothing to spread it over
      }
      job.parallel.sharding = *request_.sharding;
      batches(job, index);
      return;
    }
    for (const Sharding sharding : {Sharding::ddp, Sharding::zero1, Sharding::fsdp2}) {
      job.parallel.sharding = sharding;
      if (job.parallel.gpus > 1 || sharding == Sharding::ddp) {
        batches(job, index);
      }
    }
  }

  /// Every batch that the request allows.
  void batches(job::Job job, std::size_t index) {
    if (job.parallel.gpus > 1 && job.parallel.sharding == Sharding::fsdp2 && job.layout == base::Layout::nhwc) {
      return;  // PyTorch refuses
    }
    const std::int64_t images = request_.job.data.images.value_or(1 << 30);
    const std::int64_t least = job.parallel.gpus * request_.accumulation.value_or(1);
    const bool open = !request_.global_batch && !request_.candidates[index].exactly && job.parallel.gpus > 1;
    if (open && least * request_.batch.value_or(1) > images) {
      return;  // fewer GPUs do as well
    }
    for (std::int64_t batch = 1; batch <= 64; ++batch) {
      if (request_.batch && *request_.batch != batch) {
        continue;
      }
      if (batch > 1 && !request_.batch && !request_.global_batch && least * batch > images) {
        break;
      }
      job.batch = batch;
      job.accumulation = request_.accumulation.value_or(1);
      if (request_.global_batch) {
        if (*request_.global_batch % (batch * job.parallel.gpus) != 0) {
          continue;
        }
        job.accumulation = *request_.global_batch / (batch * job.parallel.gpus);
        if (request_.accumulation && job.accumulation != *request_.accumulation) {
          continue;
        }
      }
      consider(job, index);
    }
  }

  void consider(const job::Job& job, std::size_t index) {
    const auto& target = request_.candidates[index].target;
    const double reserve =
        std::floor(target.usable.as_double() * request_.reserve.percent / 100) + request_.reserve.bytes.as_double();
    if (world_.verdict(job, target.usable.as_double()) != Verdict::fits ||
        std::floor(world_.reserved(job)) > target.usable.as_double() - reserve) {
      return;
    }
    REQUIRE(job.batch <= 8);  // the planner tries every batch up to there
    // Every step computes a whole batch, the last of an epoch too.
    const auto count = static_cast<double>(job.data.images.value_or(1 << 20));
    const auto batch = static_cast<double>(job::global_batch(job));
    const double computed = job.data.images ? std::ceil(count / batch) * batch : count;
    Entry entry{job, index, computed / count / world_.images_per_second(job), 0, false};
    const auto price = prices_.find(target.gpu.name);
    entry.priced = price != prices_.end();
    entry.cost =
        entry.seconds_per_image / 3600 * static_cast<double>(job.parallel.gpus) * (entry.priced ? price->second : 1);
    const double images = static_cast<double>(job.data.images.value_or(0) * job.data.epochs);
    if (request_.deadline && entry.seconds_per_image * images > request_.deadline->count()) {
      return;
    }
    if (request_.max_cost && !(entry.priced && entry.cost * images <= request_.max_cost->count())) {
      return;
    }
    entries_.push_back(entry);
  }

  [[nodiscard]] std::tuple<std::int64_t, bool, double> aim(const Entry& e) const {
    switch (request_.objective) {
      case Objective::fastest: return {0, false, e.seconds_per_image};
      case Objective::cheapest: return {0, !e.priced, e.cost};
      case Objective::fewest_gpus: return {e.job.parallel.gpus, false, e.seconds_per_image};
    }
    return {};
  }

  std::optional<Entry> choose() const {
    if (entries_.empty()) {
      return std::nullopt;
    }
    const auto least = std::ranges::min(entries_, {}, [&](const Entry& e) { return aim(e); });
    std::vector<Entry> equal;
    for (const Entry& e : entries_) {
      const auto [n, p, figure] = aim(e);
      const auto [bn, bp, best] = aim(least);
      if (n == bn && p == bp && figure <= 1.01 * best) {
        equal.push_back(e);
      }
    }
    const auto gpus_of = [](const Entry& e) { return e.job.parallel.gpus; };
    if (request_.objective == Objective::cheapest) {
      keep(
          equal, [](const Entry& e) { return e.seconds_per_image; }, 1.01);
    }
    keep(equal, gpus_of, 1);
    keep(
        equal, [](const Entry& e) { return e.priced ? e.cost : 0; }, 1.01);
    std::optional<Entry> chosen;
    const auto simplicity = [](const Entry& e) {
      const std::int64_t batch = e.job.model.batch_norm ? -e.job.batch : e.job.batch;  // statistics of more images
      return std::tuple(e.job.parallel.gpus, e.job.parallel.sharding, e.job.checkpointing.kind, e.job.precision, batch,
                        e.job.accumulation, e.job.layout, e.gpu);
    };
    for (const Entry& e : equal) {
      if (!chosen || simplicity(e) < simplicity(*chosen)) {
        chosen = e;
      }
    }
    return chosen;
  }

  /// Those at most `band` times the least above 0; what has 0 stays.
  template <class Figure>
  static void keep(std::vector<Entry>& entries, Figure figure, double band) {
    double least = HUGE_VAL;
    for (const Entry& e : entries) {
      const auto value = static_cast<double>(figure(e));
      least = value > 0 ? std::min(least, value) : least;
    }
    std::erase_if(entries, [&](const Entry& e) { return static_cast<double>(figure(e)) > band * least; });
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
  world.fixed = dice.between(100, 1000);
  world.state = dice.between(0, world.fixed / 2);
  world.buckets = dice.between(0, 300);
  world.image = dice.between(950, 1600);
  world.half = dice.between(0.6, 1);
  world.nhwc = dice.between(0.8, 1.1);
  world.checkpointed = dice.between(0.6, 0.9);
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

/// Settings that the user insists on, in some of the requests.
void fix_some(Dice& dice, PlanRequest& request) {
  const auto rarely = [&] { return dice.whole(0, 5) == 0; };
  if (rarely()) {
    request.precision = static_cast<Precision>(dice.whole(0, 4));
  }
  if (rarely()) {
    request.layout = dice.coin() ? base::Layout::nchw : base::Layout::nhwc;
  }
  if (rarely()) {
    request.checkpointing = job::Checkpointing{dice.coin() ? Kind::none : Kind::block, 0};
  }
  if (rarely()) {
    request.sharding = static_cast<Sharding>(dice.whole(0, 2));
  }
}

PlanRequest random_request(Dice& dice, support::Prices& prices) {
  PlanRequest request;
  request.job = support::small_job();
  const std::int64_t gpus = dice.whole(1, 3);
  for (std::int64_t i = 0; i < gpus; ++i) {
    const std::string name = "gpu" + std::to_string(i);
    request.candidates.push_back(support::made_up_gpu(name, dice.whole(1000, 2200), dice.whole(1, 6), dice.coin()));
    request.candidates.back().per_node = dice.coin() ? 8 : dice.whole(1, 4);
    request.candidates.back().exactly = dice.whole(0, 5) == 0;
    if (dice.whole(0, 2) > 0) {
      prices[name] = dice.between(0.5, 5);
    }
  }
  request.objective = static_cast<Objective>(dice.whole(0, 2));
  const auto rarely = [&] { return dice.whole(0, 3) == 0; };
  if (rarely()) {
    request.global_batch = dice.whole(1, 24);
  } else if (rarely()) {
    request.batch = dice.whole(1, 5);
  }
  if (rarely()) {
    request.accumulation = dice.whole(1, 3);
  }
  if (rarely()) {
    request.max_gpus = dice.whole(1, 4);
  }
  if (rarely()) {
    request.job.data.images = dice.coin() ? 1000 : dice.whole(1, 60);
    request.job.data.epochs = dice.whole(1, 3);
    request.deadline = base::Seconds(dice.between(5, 200));
  }
  if (rarely()) {
    request.job.data.images = dice.whole(1, 1000);
    request.max_cost = base::Usd(dice.between(0.01, 0.5));
  }
  if (rarely()) {
    request.reserve.percent = dice.between(0, 20);
    request.reserve.bytes = base::Bytes(dice.whole(0, 100));
  }
  request.job.model = support::vgg(16, rarely());
  fix_some(dice, request);
  request.threads = static_cast<unsigned>(dice.whole(1, 3));
  return request;
}

TEST_CASE("the planner finds the winner that a search without shortcuts finds") {
  int answered = 0;
  int refused = 0;
  for (std::uint32_t seed = 1; seed <= 2000; ++seed) {
    Dice dice(seed);
    const World world = random_world(dice);
    support::Prices prices;
    const PlanRequest request = random_request(dice, prices);
    const auto planned = plan(request, support::engine_of(world, prices));
    const auto expected = BruteForce(request, world, prices).best();
    INFO("seed " << seed);
    if (!planned) {  // settings that never go together, such as fsdp2 and channels_last
      REQUIRE_FALSE(expected);
      continue;
    }
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
  CHECK(answered > 800);
  CHECK(refused > 300);
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
    REQUIRE(one.has_value() == four.has_value());
    if (!one) {  // settings that never go together
      continue;
    }
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
