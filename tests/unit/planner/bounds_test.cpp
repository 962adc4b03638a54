// SPDX-License-Identifier: MIT
// What the search puts behind without looking: by bounds of time and memory, and by what sharding has to beat.
#include <algorithm>
#include <cmath>

#include "planner/explore.hpp"
#include "planner/judge.hpp"
#include "planner/search.hpp"
#include "support/catch.hpp"
#include "support/random_plan.hpp"

namespace vggplan::planner {
namespace {

using support::Dice;
using support::MadeUpQuestion;
using support::one_setting;
using support::World;

/// A GPU of its own speed and price, of which everything is fixed.
struct Model {
  double rate{};
  double usd_per_hour{};
  std::int64_t gpus{1};
  bool priced{true};
  bool operator==(const Model&) const = default;
};

/// Asks about many models of GPUs and notes which were simulated.
struct Market {
  std::vector<Model> models{};
  PlanRequest request{one_setting(2000)};
  std::vector<bool> simulated{};
  estimate::Engine engine{};

  explicit Market(Dice& dice, std::size_t count) : simulated(count, false), engine(support::engine_of(World{})) {
    request.candidates.clear();
    const bool mixed = dice.coin();  // of one and of two GPUs, with a price and without
    (mixed || dice.coin() ? request.batch : request.global_batch) = 1;
    request.top = static_cast<std::size_t>(dice.whole(0, 3));
    request.objective = dice.coin() ? Objective::fastest : Objective::cheapest;
    const double unit = dice.coin() ? 1 : 0.001;
    const double most = dice.coin() ? 100 : 1.2;
    for (std::size_t i = 0; i < count; ++i) {
      models.push_back({unit * dice.between(1, most), dice.between(1, std::sqrt(most)), mixed ? dice.whole(1, 2) : 1,
                        !mixed || dice.coin()});
      request.candidates.push_back(support::made_up_gpu(std::to_string(i), 2000, models.back().gpus));
      request.candidates.back().exactly = true;
    }
    const auto step = [this](const job::Job& job, const estimate::Target& target) {
      return base::Seconds(static_cast<double>(job::global_batch(job)) / models.at(std::stoul(target.gpu.name)).rate);
    };
    engine.time = [=, this](const job::Job& job, const estimate::Target& target) -> base::Result<estimate::TimeAnswer> {
      const Model& model = models.at(std::stoul(target.gpu.name));
      estimate::TimeAnswer answer;
      answer.step = step(job, target);
      answer.images_per_second = model.rate;
      answer.usd_per_hour = model.priced ? std::optional(base::Usd(model.usd_per_hour)) : std::nullopt;
      return answer;
    };
    engine.time_floor = [=](const job::Job& job, const estimate::Target& target) -> base::Result<base::Seconds> {
      return step(job, target);
    };
    engine.memory = [this, ask = engine.memory](const job::Job& job, const estimate::Target& target) {
      simulated.at(std::stoul(target.gpu.name)) = true;
      return ask(job, target);
    };
  }

  [[nodiscard]] double money(const Model& m) const {
    return (m.priced ? m.usd_per_hour : static_cast<double>(m.gpus)) / m.rate;
  }
  [[nodiscard]] std::pair<bool, double> aim(const Model& m) const {
    return request.objective == Objective::fastest ? std::pair(false, 1 / m.rate) : std::pair(!m.priced, money(m));
  }
  /// At least as good in both by a factor, with no more GPUs.
  [[nodiscard]] bool beats(const Model& a, const Model& b, double factor) const {
    return a.priced == b.priced && a.gpus <= b.gpus && a.rate >= b.rate * factor && money(a) * factor <= money(b);
  }
};

TEST_CASE("of many GPUs those that stay behind in time and money are not simulated, and all others are") {
  std::size_t left_out = 0;
  for (std::uint32_t seed = 1; seed <= 100; ++seed) {
    Dice dice(seed);
    Market market(dice, 60);
    const Search found = search(market.request, market.engine);
    std::vector<Model> first = market.models;
    std::ranges::sort(first, std::ranges::greater{},
                      [](const Model& model) { return model.rate / static_cast<double>(model.gpus); });
    first.resize(16);
    INFO("seed " << seed);
    for (std::size_t i = 0; i < market.models.size(); ++i) {
      const Model& model = market.models[i];
      const auto beaten = [&](const std::vector<Model>& by, double factor) {
        return std::ranges::any_of(by, [&](const Model& other) { return market.beats(other, model, factor); });
      };
      const auto ahead = [&](const std::vector<Model>& those, double factor) {
        const auto [unpriced, figure] = market.aim(model);
        return std::ranges::count_if(those, [&, unpriced = unpriced, figure = figure](const Model& other) {
          return market.aim(other) < std::pair(unpriced, figure / factor);
        });
      };
      const auto enough = static_cast<std::ptrdiff_t>(market.request.top + 1);
      // Those of the first wave tell by 2 % that another is behind: batches between rungs may be faster by that.
      const bool hopeless = beaten(first, 1.05) && ahead(first, 1.05) >= enough;
      const bool behind = beaten(market.models, 1.03) && ahead(market.models, 1) >= enough;
      const bool is_first = std::ranges::find(first, model) != first.end();
      CHECK((is_first || !hopeless || !market.simulated[i]));
      CHECK((behind || market.simulated[i]));
      left_out += market.simulated[i] ? 0U : 1U;
    }
    CHECK(found.enumerated == 60);
  }
  CHECK(left_out > 400);
}

TEST_CASE("what needs fewer GPUs or less money is no more put behind than what is faster") {
  for (const Model& odd : {Model{4, 3, 1}, Model{4, 0.5, 2}, Model{4, 3, 2}}) {
    Dice dice(1);
    Market market(dice, 20);
    std::ranges::fill(market.models, Model{10, 3, 2});
    market.models.back() = odd;
    for (std::size_t i = 0; i < market.models.size(); ++i) {
      market.request.candidates[i].gpus = market.models[i].gpus;
    }
    market.request.batch = 1;
    market.request.global_batch.reset();
    market.request.objective = Objective::fastest;
    market.request.top = 0;
    search(market.request, market.engine);
    CHECK(market.simulated.back() == (odd.gpus == 1 || odd.usd_per_hour < 3));
  }
}

TEST_CASE("sharding that gains nothing is not simulated") {
  std::int64_t gain_nothing = 0;
  for (std::uint32_t seed = 1; seed <= 60; ++seed) {
    MadeUpQuestion asked(seed);
    asked.request.global_batch.reset();
    asked.request.job.data.images = 10'000'000;
    asked.request.deadline = seed % 3 == 0 ? std::optional(base::Seconds(1e12)) : std::nullopt;
    asked.request.max_cost.reset();
    asked.world.image *= seed % 2 == 0 ? 0.2 : 1;
    asked.world.update = 0;  // floors of time are as they are
    asked.world.range = 0;
    asked.world.flicker = 0;
    asked.world.input_rate = 1e9;
    asked.engine = support::engine_of(asked.world, asked.prices);
    std::vector<std::pair<job::Job, std::string>> simulated;
    auto engine = asked.engine;
    engine.memory = [&](const job::Job& job, const estimate::Target& target) {
      simulated.emplace_back(job, target.gpu.name);
      return asked.engine.memory(job, target);
    };
    asked.request.threads = 1;
    if (!plan(asked.request, asked.engine)) {
      continue;
    }
    const Search found = search(asked.request, engine);
    INFO("seed " << seed);
    for (const auto& [job, gpu] : simulated) {
      for (const Explored& explored : found.groups) {
        if (explored.evaluated.empty() || explored.fastest().gpu != gpu ||
            explored.fastest().job.parallel.gpus != job.parallel.gpus) {
          continue;
        }
        const Evaluated& best = explored.fastest();
        const double floor = static_cast<double>(job::global_batch(job)) / asked.world.compute_seconds(job);
        if (!asked.request.sharding && best.job.parallel.sharding == job::Sharding::ddp &&
            job.parallel.sharding != job::Sharding::ddp) {
          CHECK(floor * 1.021 >= best.images_per_second);
        }
      }
    }
    for (const Rejection& row : found.rejected.list()) {
      gain_nothing += row.reason == "sharding" ? row.count : 0;
    }
  }
  CHECK(gain_nothing > 20);
}

/// Two GPUs over which 900 of 1000 bytes can be spread: they hold three images each, and eight where they share. Memory
/// is to the byte, and time that of computing alone.
struct Spread {
  World world{};
  PlanRequest request{one_setting(1350)};
  estimate::Engine engine{};
  std::vector<job::Job> simulated{};

  explicit Spread(double launch) {
    world.slack = 1;
    world.state = 900;
    world.buckets = world.update = world.exchange = 0;
    world.launch = launch;
    request.sharding.reset();
    request.top = 0;
    request.candidates = {support::made_up_gpu("two", 1350, 2)};
  }
  Search ask() {
    const auto models = support::engine_of(world, {{"two", 1}});
    engine = models;
    engine.memory_floor = [this](const job::Job& job, const estimate::Target&) {
      return base::Bytes(static_cast<std::int64_t>(world.allocated(job)));
    };
    engine.memory = [this, models](const job::Job& job, const estimate::Target& target) {
      simulated.push_back(job);
      return models.memory(job, target);
    };
    return search(request, engine);
  }
  /// Images per second of both.
  [[nodiscard]] double rate(std::int64_t batch) const {
    job::Job job = request.job;
    job.batch = batch;
    return 2 * world.images_per_second(job);
  }
  [[nodiscard]] bool shared() const {
    return std::ranges::any_of(simulated, [](const job::Job& j) { return j.parallel.sharding != job::Sharding::ddp; });
  }
};

TEST_CASE("one GPU puts two behind only if it beats all that they reach with all memory shared") {
  constexpr double kTold = 1.02 * 1.01;  // the bound's own margin, and the band of what counts as equal
  for (const job::Mode mode : {job::Mode::train, job::Mode::infer}) {
    const std::int64_t largest = mode == job::Mode::train ? 8 : 3;  // inference has nothing to share
    for (const double factor : {0.98, kTold * 1.001}) {
      Spread two(1);
      two.request.job.mode = mode;
      const double rate = factor * two.rate(largest);
      for (int i = 0; i < 20; ++i) {  // more than are looked at first
        two.request.candidates.push_back(support::made_up_gpu("one" + std::to_string(i), 2000, 1));
      }
      const World slow = two.world;
      two.ask();  // sets the models
      auto engine = two.engine;
      engine.time_floor = [=](const job::Job& job, const estimate::Target& target) -> base::Result<base::Seconds> {
        const bool one = target.gpu.name != "two";
        return base::Seconds(one ? static_cast<double>(job.batch) / rate : slow.compute_seconds(job));
      };
      engine.time = [=, ask = two.engine.time](const job::Job& job, const estimate::Target& target) {
        auto answer = ask(job, target);
        answer->images_per_second = target.gpu.name == "two" ? answer->images_per_second : rate;
        answer->usd_per_hour.reset();
        return answer;
      };
      two.simulated.clear();
      const Search found = search(two.request, engine);
      const auto both = std::ranges::count(two.simulated, 2, [](const job::Job& job) { return job.parallel.gpus; });
      INFO("largest " << largest << ", " << factor);
      CHECK((both > 0) == (factor < 1));
      const Evaluated& best = found.contenders.at(*winner(two.request, found.contenders)).figures;
      CHECK(best.job.batch == (factor < 1 ? largest : best.job.batch));
      CHECK(best.job.parallel.gpus == (factor < 1 ? 2 : 1));
    }
  }
}

TEST_CASE("sharding that gains less than 1 % is looked at where a limit may lie in between, and there alone") {
  constexpr double kLaunch = 0.00024072;  // eight images are 0.5 % faster than three
  Spread free(kLaunch);
  free.request.candidates.front().exactly = true;
  CHECK(free.rate(8) / free.rate(3) == Approx(1.005).epsilon(1e-4));
  CHECK(free.ask().contenders.size() == 2);  // of one image more than 1 % slower
  CHECK_FALSE(free.shared());
  const Group both{.gpus = 2, .settings = {job::Precision::tf32, base::Layout::nchw, {}, job::Sharding::fsdp2}};
  CHECK(solve_limits(free.request, both, 1, free.engine, 32).steady == 8);
  for (const bool time : {true, false}) {
    Spread limited(kLaunch);
    limited.request.candidates.front().exactly = true;
    limited.request.job.data.images = 48'000;  // whole steps of three and of eight
    const double seconds = 48'000 / limited.rate(8) * 1.0001;
    if (time) {
      limited.request.deadline = base::Seconds(seconds);
    } else {
      limited.request.max_cost = base::Usd(2 * seconds / 3600);
    }
    const Search found = limited.ask();
    REQUIRE_FALSE(found.contenders.empty());
    CHECK(found.contenders.at(*winner(limited.request, found.contenders)).figures.job.batch == 8);
  }
  Spread slower(kLaunch);
  slower.request.candidates.front().exactly = true;
  slower.request.job.data.images = 48'000;
  slower.request.deadline = base::Seconds(1e9);
  slower.world.state = 0;  // sharing makes no room, and takes its time
  slower.world.exchange = 0.001;
  slower.world.sharded = 2;
  CHECK_FALSE(slower.ask().contenders.empty());
  CHECK_FALSE(slower.shared());
}

}  // namespace
}  // namespace vggplan::planner
