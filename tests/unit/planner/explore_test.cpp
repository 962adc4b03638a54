// SPDX-License-Identifier: MIT
// Batches beyond those that are all tried, and what the search leaves alone.
#include "planner/explore.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <set>

#include "planner/search.hpp"
#include "support/catch.hpp"
#include "support/every_candidate.hpp"

namespace vggplan::planner {
namespace {

using support::Dice;
using support::Everything;
using support::MadeUpQuestion;
using support::one_setting;
using support::Tried;
using support::World;

/// Rates that rise up to a batch at which a slower algorithm begins, and again from there; time floors as they are.
struct Algorithms {
  estimate::Engine engine{};
  std::int64_t simulations{0};
  std::map<std::int64_t, double> rates{};

  Algorithms(const World& world, std::int64_t changes_at, double slower) : engine(support::engine_of(world)) {
    const auto step = [=](const job::Job& job) {
      return world.step_seconds(job) * (job.batch >= changes_at ? slower : 1);
    };
    engine.time = [=](const job::Job& job, const estimate::Target&) -> base::Result<estimate::TimeAnswer> {
      estimate::TimeAnswer answer;
      answer.step = base::Seconds(step(job));
      answer.images_per_second = static_cast<double>(job::global_batch(job)) / step(job);
      answer.bound_by = "gpu";
      return answer;
    };
    engine.time_floor = [=](const job::Job& job, const estimate::Target&) -> base::Result<base::Seconds> {
      return base::Seconds(step(job) * 0.97);
    };
  }
};

/// Where the batches between two rungs are asked about, and what is found there, by asking about all.
void check_between_rungs(const World& world, std::int64_t changes_at, double slower, const PlanRequest& request) {
  const Algorithms models(world, changes_at, slower);
  std::set<std::int64_t> timed;
  std::set<std::int64_t> timed_for_nothing;  // of a GPU that is half as fast
  estimate::Engine engine = models.engine;
  engine.time = [&](const job::Job& job, const estimate::Target& target) {
    const bool slow = target.gpu.name == "slow";
    (slow ? timed_for_nothing : timed).insert(job.batch);
    auto answer = models.engine.time(job, target);
    answer->images_per_second *= slow ? 0.5 : 1;
    return answer;
  };
  const Search found = search(request, engine);
  std::set<std::int64_t> listed;
  double reached = 0;
  for (const Contender& contender : found.contenders) {
    CHECK((contender.candidate > 0 || listed.insert(contender.figures.job.batch).second));
    reached = std::max(reached, contender.figures.images_per_second);
  }
  CHECK(found.enumerated == static_cast<std::int64_t>(found.contenders.size()) + found.rejected.total());

  const estimate::Target& target = request.candidates[0].target;
  job::Job job = request.job;
  job.accumulation = request.accumulation.value_or(1);
  const auto with = [&](std::int64_t batch) -> const job::Job& {
    job.batch = batch;
    return job;
  };
  const auto rate = [&](std::int64_t batch) { return models.engine.time(with(batch), target)->images_per_second; };
  const auto room = [&](std::int64_t batch) { return support::room_of(request, models.engine, with(batch), target); };
  std::int64_t end = 1;
  while (room(end).above_floor) {
    ++end;
  }
  const std::vector<std::int64_t> rungs = batch_ladder(end);
  const bool certain = std::ranges::any_of(rungs, [&](std::int64_t rung) { return room(rung).certain; });
  const auto good = [&](std::int64_t batch) { return certain ? room(batch).certain : room(batch).fits; };
  std::int64_t top = 0;
  for (const std::int64_t rung : rungs) {
    top = good(rung) && (top == 0 || rate(rung) > rate(top)) ? rung : top;
  }
  if (top == 0) {
    return;
  }
  double expected = rate(top);
  for (std::size_t i = 0; i + 1 < rungs.size(); ++i) {
    const bool open = std::max(rate(rungs[i]), rate(rungs[i + 1])) > 1.001 * rate(top);
    // Where rates fall at another algorithm and rise again, or memory flickers, one of several limits is found.
    bool rising = world.flicker == 0 && (changes_at <= rungs[i] || changes_at >= rungs[i + 1]);
    int asked = 0;
    for (std::int64_t n = rungs[i] + 1; n < rungs[i + 1]; ++n) {
      asked += timed.contains(n) ? 1 : 0;
      rising = rising && good(n) && rate(n) > rate(n - 1);
      const bool sought = open ? timed.contains(n) && good(n) : rungs[i] == top && rising;
      expected = sought ? std::max(expected, rate(n)) : expected;
    }
    const std::int64_t gap = rungs[i + 1] - rungs[i] - 1;
    if (open) {
      CHECK((gap <= 64 ? asked == gap : 2 * asked >= gap && asked <= 64));
    } else {
      CHECK(asked <= (rungs[i] == top ? 8 : 0));  // by halving
    }
  }
  CHECK(reached * (1 + 1e-9) >= expected);
  // Of what does not fit none is twice as fast as what does.
  const bool close = world.flicker == 0 && target.usable >= base::Bytes(3000);
  CHECK((!close || std::ranges::includes(rungs, timed_for_nothing)));
}

TEST_CASE(
    "between rungs all is sought where one of them is faster than what fits, and beyond the best where it rises") {
  for (std::uint32_t seed = 1; seed <= 1000; ++seed) {
    Dice dice(seed);
    World world;
    world.launch = dice.between(0.05, 3);
    world.slack = dice.coin() ? 1 : dice.between(1, 1.2);
    world.flicker = dice.coin() ? 0 : dice.between(0, 0.2);
    world.range = dice.coin() ? 0 : dice.coin() ? dice.between(0, 0.1) : 1000;  // then nothing is certain
    world.image = 20;
    PlanRequest request = one_setting(1200 + 20 * dice.whole(9, seed % 10 == 0 ? 700 : 260));
    if (dice.whole(0, 2) == 0) {
      request.accumulation = dice.whole(1, 3);
    }
    request.candidates.push_back(request.candidates[0]);
    request.candidates[1].target.gpu.name = "slow";
    const std::int64_t last = (request.candidates[0].target.usable.count() - 1000) / 20;
    const std::int64_t changes_at = dice.coin() ? dice.whole(9, 260) : dice.whole(last - 8, last + 3);
    INFO("seed " << seed << ", another algorithm from " << changes_at);
    check_between_rungs(world, changes_at, dice.between(1.05, 1.5), request);
  }
}

/// One group, explored beside a bar, and what the models were asked.
struct Visit {
  Group group{};
  Certainty certainty{};
  double bar{};
  std::vector<job::Job> timed{};
  std::vector<job::Job> simulated{};
  Explored explored{};

  Visit(const MadeUpQuestion& asked, const Group& of, Certainty which, double above)
      : group(of), certainty(which), bar(above) {
    estimate::Engine engine = asked.engine;
    engine.time = [&](const job::Job& job, const estimate::Target& target) {
      timed.push_back(job);
      return asked.engine.time(job, target);
    };
    engine.memory = [&](const job::Job& job, const estimate::Target& target) {
      simulated.push_back(job);
      return asked.engine.memory(job, target);
    };
    explored = explore(asked.request, group, certainty, bar, engine);
  }
  static bool among(const std::vector<job::Job>& jobs, const Tried& e) {
    return std::ranges::find(jobs, e.job) != jobs.end();
  }
  [[nodiscard]] bool lists(const Tried& e) const {
    return std::ranges::find(explored.evaluated, e.job, &Evaluated::job) != explored.evaluated.end();
  }
};

double rate_of(const Tried& e) { return 1 / e.seconds_per_image; }

/// The group's batches: those that were fixed, or of each rung the smallest of as many steps.
std::vector<Tried> rungs_of(const Everything& all, const Group& group, const PlanRequest& request) {
  std::vector<Tried> those;
  std::ranges::copy_if(all.tried, std::back_inserter(those), [&](const Tried& e) {
    return e.gpu == group.candidate && e.job == job_of(request, group, {e.job.batch, e.job.accumulation});
  });
  if (request.batch || request.global_batch || those.empty()) {
    return those;
  }
  const auto steps = [&](std::int64_t batch) {
    const std::int64_t images = batch * group.gpus * those.front().job.accumulation;
    return request.job.data.images ? (*request.job.data.images + images - 1) / images : -batch;
  };
  std::set<std::int64_t> smallest;
  for (std::int64_t batch : batch_ladder(those.back().job.batch)) {
    while (batch > 1 && steps(batch - 1) == steps(batch)) {
      --batch;
    }
    smallest.insert(batch);
  }
  std::erase_if(those, [&](const Tried& e) { return !smallest.contains(e.job.batch); });
  return those;
}

/// All that fits and may be within 1 % of the best is evaluated; what cannot, by its floor or its time, is left alone.
void check_visit(const Visit& visit, const std::vector<Tried>& those, const support::World& world) {
  constexpr double kHair = 1e-9;
  const auto above = [&](double rate) { return rate > visit.bar * (1 + kHair); };
  const auto good = [&](const Tried& e) {
    return e.fits() && (visit.certainty == Certainty::possible || e.certain) && above(rate_of(e));
  };
  const auto floor = [&](const Tried& e) {  // the least time is that of computing
    return rate_of(e) / world.images_per_second(e.job) * static_cast<double>(job::global_batch(e.job)) /
           world.compute_seconds(e.job);
  };
  double best = 0;
  double potential = 0;
  for (const Tried& e : those) {
    best = std::max(best, good(e) ? rate_of(e) : 0);
  }
  const auto in_band = [&](double rate) { return above(rate) && rate * 1.01 * (1 + kHair) >= best; };
  for (const Tried& e : those) {
    INFO("batch " << e.job.batch);
    const bool faster = std::ranges::any_of(those, [&](const Tried& other) {
      return good(other) && rate_of(other) > rate_of(e) * 1.01 * (1 + kHair) && floor(other) > floor(e);
    });
    const bool simulated = Visit::among(visit.simulated, e);
    CHECK(Visit::among(visit.timed, e) == in_band(floor(e)));
    CHECK((!simulated || (above(rate_of(e)) && !faster && e.refused != "memory-floor")));
    CHECK((simulated || !in_band(rate_of(e)) || e.refused == "memory-floor"));
    CHECK(visit.lists(e) <= good(e));
    CHECK((visit.lists(e) || !good(e) || !in_band(rate_of(e))));
    potential = std::max(potential, !good(e) && in_band(rate_of(e)) ? rate_of(e) : 0);
  }
  if (visit.bar == 0 && visit.explored.evaluated.empty()) {  // all were looked at, the most promising first
    std::vector<Tried> refused;
    std::ranges::copy_if(those, std::back_inserter(refused), [](const Tried& e) { return !e.fits(); });
    REQUIRE(visit.explored.nearest_job.has_value() == !refused.empty());
    const auto order = [&](const Tried& e) { return std::pair(e.miss, -floor(e)); };
    CHECK((refused.empty() || *visit.explored.nearest_job == std::ranges::min(refused, {}, order).job));
  }
  CHECK(visit.explored.potential >= potential * (1 - kHair));
  CHECK((potential > 0 || best > 0 || visit.explored.potential == 0));
}

TEST_CASE("of a group's batches all that may be the best are evaluated, and the models are not asked in vain") {
  int visits = 0;
  for (std::uint32_t seed = 1; seed <= 240; ++seed) {
    MadeUpQuestion asked(seed);
    asked.world.image *= seed % 3 == 0 ? 1 : 0.1;
    asked.request.max_gpus = seed % 4 == 0 ? 4 : 2;
    if (seed % 4 == 0) {
      asked.request.job.data.images = seed / 4 % 5 + 1;
    }
    asked.engine = support::engine_of(asked.world, asked.prices);
    const Everything all(asked.request, asked.engine);
    Dice dice(seed);
    for (const Group& group : enumerate_groups(asked.request)) {
      const std::vector<Tried> those = rungs_of(all, group, asked.request);
      const bool refused = refuse(asked.request, group).has_value();
      CHECK(refused <= those.empty());
      CHECK((refused || !those.empty() || asked.request.job.mode == job::Mode::infer));  // accumulates nothing
      if (those.empty()) {
        continue;
      }
      const Tried& any = those.at(static_cast<std::size_t>(dice.whole(0, std::ssize(those) - 1)));
      const double bar = dice.coin()
                             ? 0
                             : asked.engine.time(any.job, asked.request.candidates[any.gpu].target)->images_per_second *
                                   useful_share(any.job);
      const Visit visit(asked, group, dice.coin() ? Certainty::certain : Certainty::possible, bar);
      INFO("seed " << seed << ": " << describe(asked.request, group) << " above " << visit.bar);
      const auto rows = visit.explored.rejected.list();
      const auto no_jobs = std::ranges::find(rows, "combination", &Rejection::reason);
      CHECK(visit.explored.enumerated - (no_jobs == rows.end() ? 0 : no_jobs->count) == std::ssize(those));
      CHECK(visit.explored.enumerated == std::ssize(visit.explored.evaluated) + visit.explored.rejected.total());
      check_visit(visit, those, asked.world);
      ++visits;
    }
  }
  CHECK(visits > 300);
}

TEST_CASE("with a data set the batch is the smallest of as many steps, and none exceeds the set") {
  for (std::uint32_t seed = 1; seed <= 100; ++seed) {
    Dice dice(seed);
    World world;
    world.image = 1;
    world.launch = 0.5;
    PlanRequest request = one_setting(1'000'000);
    request.job.data.images = dice.whole(1, dice.coin() ? 5 : 500);
    request.accumulation = dice.whole(1, 3);
    const auto images = static_cast<double>(*request.job.data.images);
    const Search found = search(request, support::engine_of(world));
    job::Job job = request.job;
    job.accumulation = *request.accumulation;
    double best = 0;
    const auto useful = [&](std::int64_t batch) {
      job.batch = batch;
      const auto step = static_cast<double>(job::global_batch(job));
      return world.images_per_second(job) * images / (std::ceil(images / step) * step);
    };
    for (std::int64_t batch = 1; batch == 1 || batch * *request.accumulation <= *request.job.data.images; ++batch) {
      best = std::max(best, useful(batch));
    }
    double reached = 0;
    INFO("seed " << seed);
    REQUIRE_FALSE(found.contenders.empty());
    for (const Contender& contender : found.contenders) {
      const std::int64_t batch = contender.figures.job.batch;
      const double steps = std::ceil(images / static_cast<double>(batch * *request.accumulation));
      CHECK((batch == 1 || std::ceil(images / static_cast<double>((batch - 1) * *request.accumulation)) > steps));
      CHECK((batch == 1 || batch * *request.accumulation <= *request.job.data.images));
      CHECK(contender.figures.useful_images_per_second == Approx(useful(batch)));
      reached = std::max(reached, useful(batch));
    }
    CHECK(reached * 1.002 >= best);
  }
}

TEST_CASE("a limit that only a batch between two rungs keeps is kept") {
  World world;
  world.image = 20;
  world.launch = 1;
  const Algorithms models(world, 27, 2);  // rungs are 24 and 28
  PlanRequest request = one_setting(2200);
  request.job.data.images = 26'000;
  job::Job job = request.job;
  job.batch = 26;
  request.deadline = base::Seconds(26'000 / world.images_per_second(job) * 1.0001);
  const auto answer = plan(request, models.engine);
  REQUIRE(answer->recommendation);
  CHECK(answer->job.batch == 26);
  request.deadline = *request.deadline * 0.999;
  CHECK_FALSE(plan(request, models.engine)->recommendation);
}

TEST_CASE("what has no time is no candidate") {
  World world;
  world.image_seconds = 10;
  world.launch = 20;
  auto engine = support::engine_of(world);
  const auto known = []<class Ask>(const Ask& ask) {
    return [ask](const job::Job& job, const estimate::Target& target) -> decltype(ask(job, target)) {
      if (job.batch > 3) {
        return base::wrong("--batch", "is not known");
      }
      return ask(job, target);
    };
  };
  engine.time_floor = known(engine.time_floor);
  engine.time = known([ask = engine.time](const job::Job& job, const estimate::Target& target) {
    auto answer = ask(job, target);
    answer->images_per_second *= job.batch == 3 ? 0 : 1;
    return answer;
  });
  const auto answer = plan(one_setting(2000), engine);
  REQUIRE(answer->recommendation);
  CHECK(answer->job.batch == 2);
  CHECK(answer->enumerated == 11);  // of batches up to 13, for which the floor has no room, the rungs
  CHECK(std::ranges::find(answer->rejected, "combination", &Rejection::reason) != answer->rejected.end());
}

TEST_CASE("what is slower says by how many percent") {
  World world;
  world.update = 0;
  PlanRequest request = one_setting(20'000);
  request.global_batch = 7;  // seven steps of one, or one of seven
  const auto answer = plan(request, support::engine_of(world));
  const auto row = std::ranges::find(answer->rejected, "slower", &Rejection::reason);
  REQUIRE(row != answer->rejected.end());
  CHECK(answer->job.batch == 7);
  job::Job other = answer->job;
  std::swap(other.batch, other.accumulation);
  const double slower = world.images_per_second(answer->job) / world.images_per_second(other);
  CHECK(std::get<PercentSlower>(row->nearest_miss).percent == Approx(100 * (slower - 1)));
}

TEST_CASE("where memory never ends the largest batch ends the search, or what is counted exactly") {
  World world;
  world.image = 0;
  PlanRequest request = one_setting(5000);
  const auto engine = support::engine_of(world);
  const Group group{.settings = {job::Precision::tf32, base::Layout::nchw, {}, job::Sharding::ddp}};
  const Limits limits = solve_limits(request, group, 1, engine, 32);
  CHECK(limits.limited_by_search);
  CHECK(limits.possible == limits.hard);
  CHECK(limits.possible == limits.steady);
  job::Job job = request.job;
  const auto makes_sense = [&](std::int64_t batch) {
    job.batch = batch;
    return !job::validate(job);
  };
  CHECK(makes_sense(limits.possible));
  CHECK((limits.possible == 1 << 20 || !makes_sense(limits.possible + 1)));
  // A network that images take longer to go through: fewer of them are counted exactly.
  request.job.image = {3, 20'000, 20'000};
  job = request.job;
  const Limits fewer = solve_limits(request, group, 1, engine, 32);
  CHECK(fewer.limited_by_search);
  CHECK(fewer.possible < limits.possible);
  CHECK(makes_sense(fewer.possible));
  CHECK_FALSE(makes_sense(fewer.possible + 1));
  // A floor that never ends below memory that does.
  request.job.image = {3, 100, 100};
  world.image = 1;
  auto low = support::engine_of(world);
  low.memory_floor = [](const job::Job&, const estimate::Target&) { return base::Bytes(1); };
  const Limits ends = solve_limits(request, group, 1, low, 32);
  CHECK_FALSE(ends.limited_by_search);
  CHECK(ends.possible == 3651);  // (1000 + n) * 1.075 bytes of 5000, to the byte
}

}  // namespace
}  // namespace vggplan::planner
