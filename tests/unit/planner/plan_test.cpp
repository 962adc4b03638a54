// SPDX-License-Identifier: MIT
#include "vggplan/planner/plan.hpp"

#include <algorithm>

#include "support/catch.hpp"
#include "support/made_up.hpp"

namespace vggplan::planner {
namespace {

using estimate::Verdict;
using job::Precision;
using support::engine_of;
using support::made_up_gpu;
using support::World;

PlanRequest request_for(std::vector<Candidate> candidates) {
  PlanRequest request;
  request.job = support::small_job();
  request.candidates = std::move(candidates);
  return request;
}

const Remedy* remedy(const Plan& plan, const std::string& code) {
  const auto found = std::ranges::find(plan.remedies, code, &Remedy::code);
  return found == plan.remedies.end() ? nullptr : &*found;
}

std::string error_of(const PlanRequest& request) {
  const auto answer = plan(request, engine_of(World{}));
  REQUIRE_FALSE(answer.has_value());
  CHECK(answer.error().fault == base::Fault::question);
  return answer.error().place + ": " + answer.error().rule;
}

TEST_CASE("a question that makes no sense is an error that names its flag") {
  CHECK(error_of(request_for({})) == "--gpus: a plan needs at least one GPU to choose from");
  PlanRequest request = request_for({made_up_gpu("a", 2000, 1)});
  request.batch = 0;
  CHECK(error_of(request).starts_with("--batch: "));
  request = request_for({made_up_gpu("a", 2000, 1)});
  request.global_batch = -4;
  CHECK(error_of(request).starts_with("--global-batch: "));
  request = request_for({made_up_gpu("a", 2000, 1)});
  request.reserve.percent = 100;
  CHECK(error_of(request).starts_with("--reserve: "));
  request = request_for({made_up_gpu("a", 2000, 1)});
  request.deadline = base::Seconds(60);
  CHECK(error_of(request).starts_with("--deadline: "));
  request = request_for({made_up_gpu("a", 2000, 1)});
  request.job.image.height = 8;
  CHECK_FALSE(error_of(request).empty());
}

TEST_CASE("the first cell of the largest batches is that of the recommended settings") {
  const auto answer = plan(request_for({made_up_gpu("a", 2600, 2)}), engine_of(World{}));
  REQUIRE(answer.has_value());
  REQUIRE(answer->recommendation);
  const job::Job& job = answer->recommendation->estimate.job;
  const MaxBatch& first = answer->max_batch.at(0);
  CHECK(first.precision == job.precision);
  CHECK(first.layout == job.layout);
  CHECK(first.checkpointing == job.checkpointing);
  CHECK(first.gpus == job.parallel.gpus);
  CHECK(first.steady >= job.batch);
  CHECK(first.hard >= first.steady);
}

TEST_CASE("largest batches are those that trying every batch finds") {
  for (std::uint32_t seed = 1; seed <= 200; ++seed) {
    World world;
    world.seed = seed;
    world.flicker = 0.001 * static_cast<double>(seed % 20);
    world.image = 20 + seed;
    PlanRequest request = request_for({made_up_gpu("a", 1200 + 13 * seed, 1)});
    const auto engine = engine_of(world);
    const auto answer = plan(request, engine);
    REQUIRE(answer.has_value());
    for (const MaxBatch& cell : answer->max_batch) {
      job::Job job = request.job;
      job.precision = cell.precision;
      job.layout = cell.layout;
      job.checkpointing = cell.checkpointing;
      std::int64_t steady = 0;
      std::int64_t hard = 0;  // as long as none failed
      std::int64_t possible = 0;
      for (job.batch = 1; job.batch <= 500; ++job.batch) {
        const Verdict verdict = engine.memory(job, request.candidates[0].target)->verdict;
        possible = verdict == Verdict::does_not_fit ? possible : job.batch;
        hard = verdict != Verdict::does_not_fit && hard == job.batch - 1 ? job.batch : hard;
        steady = job.batch > hard ? steady : verdict == Verdict::fits ? job.batch : steady;
      }
      INFO("seed " << seed);
      CHECK(cell.steady == steady);
      CHECK(cell.hard == hard);
      CHECK(cell.possible == possible);
    }
  }
}

TEST_CASE("where even one image needs cache flushes nothing is recommended, and the limits say what runs") {
  World world;
  world.slack = 1.3;
  PlanRequest request = request_for({made_up_gpu("a", 1320, 1)});
  request.precision = Precision::tf32;
  request.layout = base::Layout::nchw;
  request.checkpointing = job::Checkpointing{};
  const auto answer = plan(request, engine_of(world));
  REQUIRE(answer.has_value());
  CHECK_FALSE(answer->recommendation);
  CHECK(answer->failure->reason == "cache-flushes");
  CHECK(answer->max_batch.at(0).steady == 0);
  CHECK(answer->max_batch.at(0).hard == 1);
  for (const Remedy& one : answer->remedies) {
    CHECK(one.memory.verdict == Verdict::fits);
  }
}

TEST_CASE("a candidate whose upper end does not fit comes after all whose upper end does, and is no alternative") {
  World world;
  world.launch = 10;  // the larger the batch, the better
  world.slack = 1;
  PlanRequest request = request_for({made_up_gpu("a", 2600, 1)});
  request.precision = Precision::tf32;
  request.layout = base::Layout::nchw;
  request.checkpointing = job::Checkpointing{};
  auto engine = engine_of(world);
  const auto exact = plan(request, engine);
  REQUIRE(exact->recommendation->estimate.job.batch == 16);
  engine.reserved_high = [=](const job::Job& job, const estimate::Target&) -> base::Result<base::Bytes> {
    return base::Bytes(static_cast<std::int64_t>(world.reserved(job)) + 250);
  };
  const auto careful = plan(request, engine);
  CHECK(careful->recommendation->estimate.job.batch == 13);  // 1000 + 1300 + 250 bytes of 2600
  CHECK(careful->max_batch.at(0).steady == 16);
  const auto row = std::ranges::find(careful->rejected, "uncertain", &Rejection::reason);
  REQUIRE(row != careful->rejected.end());
  CHECK_FALSE(row->example.empty());
  for (const auto* list : {&careful->alternatives, &careful->pareto}) {
    CHECK(std::ranges::all_of(*list, [](const Evaluated& e) { return e.job.batch <= 13; }));
  }
  request.reserve.percent = 10;
  CHECK(plan(request, engine)->recommendation->estimate.job.batch == 10);  // 1000 + 1000 + 250 of 2600 less 260
  request.reserve.percent = 0;
  engine.reserved_high = [](const job::Job&, const estimate::Target&) { return base::Result(base::Bytes(9999)); };
  CHECK(plan(request, engine)->recommendation->estimate.job.batch == 16);  // nothing is certain
}

TEST_CASE("a batch that fits above one that does not is warned of") {
  World world;
  auto engine = engine_of(world);
  engine.memory = [ask = engine.memory](const job::Job& job, const estimate::Target& target) {
    auto answer = ask(job, target);
    answer->verdict = job.batch <= 3 || job.batch == 6 ? Verdict::fits : Verdict::does_not_fit;
    return answer;
  };
  const PlanRequest request = request_for({made_up_gpu("a", 2600, 1)});
  const auto answer = plan(request, engine);
  const auto warning = std::ranges::find(answer->warnings, "fit-flickers", &estimate::Warning::code);
  REQUIRE(warning != answer->warnings.end());
  CHECK(warning->message.starts_with("batches up to 3 run; of the larger ones up to 6"));
  CHECK(answer->max_batch.front().hard == 3);
  CHECK(answer->max_batch.front().possible == 6);
  const auto plain = plan(request, engine_of(world));
  CHECK(std::ranges::find(plain->warnings, "fit-flickers", &estimate::Warning::code) == plain->warnings.end());
}

TEST_CASE("rows of what was rejected name no GPU but in their example") {
  const auto answer =
      plan(request_for({made_up_gpu("new", 2600, 2), made_up_gpu("old", 2600, 2, false)}), engine_of(World{}));
  REQUIRE_FALSE(answer->rejected.empty());
  for (const Rejection& row : answer->rejected) {
    INFO(row.message);
    CHECK(row.message.find("new") == std::string::npos);
    CHECK(row.message.find("old") == std::string::npos);
  }
}

TEST_CASE("inference is not told of gradients, nor of optimizers") {
  PlanRequest request = request_for({made_up_gpu("a", 2600, 4)});
  request.job.mode = job::Mode::infer;
  const auto answer = plan(request, engine_of(World{}));
  REQUIRE(answer->recommendation);
  std::string text;
  for (const std::string& sentence : answer->recommendation->why) {
    text += sentence;
  }
  for (const Rejection& row : answer->rejected) {
    text += row.message;
  }
  CHECK(text.find("gradient") == std::string::npos);
  CHECK(text.find("optimizer") == std::string::npos);
}

TEST_CASE("a reserve makes the recommendation smaller, and the estimate still speaks of the whole memory") {
  World world;
  world.launch = 10;  // the larger the batch, the better
  PlanRequest request = request_for({made_up_gpu("a", 2600, 1)});
  const auto whole = plan(request, engine_of(world));
  request.reserve.percent = 25;
  const auto less = plan(request, engine_of(world));
  REQUIRE(whole->recommendation);
  REQUIRE(less->recommendation);
  CHECK(less->recommendation->estimate.job.batch < whole->recommendation->estimate.job.batch);
  CHECK(less->recommendation->estimate.target.usable == base::Bytes(2600));
  CHECK(less->recommendation->estimate.memory.reserved_peak.value <= base::Bytes(1950));
}

TEST_CASE("the fewest GPUs for a deadline are those that trying every count finds") {
  for (std::uint32_t seed = 1; seed <= 120; ++seed) {
    World world;
    world.seed = seed;
    world.exchange = 0.001 * static_cast<double>(seed % 40);
    PlanRequest request = request_for({made_up_gpu("a", 2600, 8)});
    request.objective = Objective::fewest_gpus;
    request.job.data.images = 10'000;
    request.batch = 2;
    request.precision = Precision::tf32;
    request.layout = base::Layout::nchw;
    request.checkpointing = job::Checkpointing{};
    request.deadline = base::Seconds(8.0 * seed);
    std::optional<std::int64_t> fewest;
    for (std::int64_t gpus = 8; gpus >= 1; --gpus) {
      job::Job job = request.job;
      job.batch = 2;
      job.parallel.gpus = gpus;
      fewest = 10'000 / world.images_per_second(job) <= request.deadline->count() ? gpus : fewest;
    }
    const auto answer = plan(request, engine_of(world));
    REQUIRE(answer.has_value());
    INFO("seed " << seed);
    REQUIRE(answer->recommendation.has_value() == fewest.has_value());
    if (fewest) {
      CHECK(answer->recommendation->estimate.job.parallel.gpus == *fewest);
    }
  }
}

TEST_CASE("a missed deadline is answered with GPUs that meet it, and with the time that it takes") {
  World world;
  PlanRequest request = request_for({made_up_gpu("a", 2600, 2)});
  request.job.data.images = 100'000;
  request.batch = 4;
  request.deadline = base::Seconds(150);
  const auto engine = engine_of(world);
  const auto answer = plan(request, engine);
  REQUIRE(answer.has_value());
  REQUIRE_FALSE(answer->recommendation);
  const Remedy* more = remedy(*answer, "more-gpus");
  REQUIRE(more != nullptr);
  CHECK(100'000 / engine.time(more->job, request.candidates[0].target)->images_per_second <= 150);
  CHECK(remedy(*answer, "deadline") != nullptr);
}

/// Within every limit of the request, by the models themselves.
bool within(const PlanRequest& request, const Remedy& remedy, const estimate::Engine& engine,
            std::optional<double> price) {
  const auto time = engine.time(remedy.job, request.candidates[0].target);
  const double seconds = static_cast<double>(*request.job.data.images) / time->images_per_second;
  const double gpu_hours = seconds / 3600 * static_cast<double>(remedy.job.parallel.gpus);
  return (!request.deadline || seconds <= request.deadline->count()) &&
         (!request.max_cost || (price && gpu_hours * *price <= request.max_cost->count()));
}

PlanRequest limited_request(double seconds, double usd) {
  PlanRequest request = request_for({made_up_gpu("a", 2600, 2)});
  request.job.data.images = 100'000;
  request.batch = 4;
  request.deadline = base::Seconds(seconds);
  request.max_cost = base::Usd(usd);
  return request;
}

TEST_CASE("of a deadline and a budget only what stands in the way is to be relaxed, and then it is enough") {
  const auto engine = engine_of(World{}, {{"a", 3600.0}});  // a dollar a second
  PlanRequest late = limited_request(1, 1e6);
  const auto answer = plan(late, engine);
  REQUIRE(remedy(*answer, "deadline") != nullptr);
  CHECK(remedy(*answer, "max-cost") == nullptr);
  late.deadline = base::Seconds(1e9);
  CHECK(within(late, *remedy(*answer, "deadline"), engine, 3600.0));

  PlanRequest dear = limited_request(1e9, 1);
  const auto other = plan(dear, engine);
  REQUIRE(remedy(*other, "max-cost") != nullptr);
  CHECK(remedy(*other, "deadline") == nullptr);
  CHECK(remedy(*other, "more-gpus") == nullptr);

  const auto both = plan(limited_request(1, 1), engine);
  REQUIRE(both->remedies.size() == 1);
  CHECK(both->remedies[0].change.find(" and $") != std::string::npos);
}

TEST_CASE("more GPUs are a remedy only where they keep within the budget as well") {
  World world;
  world.exchange = 0.2;
  const auto engine = engine_of(world, {{"a", 3600.0}});
  const double alone =
      100'000 / engine.time(limited_request(1, 1).job, made_up_gpu("a", 1, 1).target)->images_per_second;
  for (const double budget : {0.5 * alone, 2 * alone, 20 * alone}) {
    const PlanRequest request = limited_request(alone / 4, budget);
    const auto answer = plan(request, engine);
    REQUIRE_FALSE(answer->recommendation);
    if (const Remedy* more = remedy(*answer, "more-gpus")) {
      CHECK(within(request, *more, engine, 3600.0));
    }
  }
}

TEST_CASE("where only a price is missing, the remedy says up to which price the budget holds") {
  const auto answer = plan(limited_request(1e9, 50), engine_of(World{}));
  const Remedy* price = remedy(*answer, "price");
  REQUIRE(price != nullptr);
  const std::size_t at = price->change.find("up to $");
  REQUIRE(at != std::string::npos);
  const double most = std::stod(price->change.substr(at + 7));
  const PlanRequest request = limited_request(1e9, 50);
  CHECK(plan(request, engine_of(World{}, {{"a", most * 0.99}}))->recommendation.has_value());
  CHECK_FALSE(plan(request, engine_of(World{}, {{"a", most * 1.02}}))->recommendation.has_value());
}

TEST_CASE("what is rejected says by how much the nearest misses, in the unit of its reason") {
  World world;
  world.slack = 1;  // nothing lies between what fits and what does not
  const auto engine = engine_of(world, {{"a", 3600.0}});
  const auto miss = [](const Plan& plan, const std::string& reason) {
    const auto row = std::ranges::find(plan.rejected, reason, &Rejection::reason);
    REQUIRE(row != plan.rejected.end());
    return row->nearest_miss;
  };
  PlanRequest request = limited_request(1, 1e6);
  const auto late = plan(request, engine);
  request.deadline.reset();
  const auto free = plan(request, engine);
  const double fastest = 100'000 / free->recommendation->estimate.time.images_per_second.value;
  CHECK(std::get<base::Seconds>(miss(*late, "deadline")).count() == Approx(fastest - 1).epsilon(0.011));
  CHECK(std::get<base::Usd>(miss(*plan(limited_request(1e9, 1), engine), "max-cost")) > base::Usd(0));
  request.batch.reset();
  const auto open = plan(request, engine);
  CHECK(std::get<base::Bytes>(miss(*open, "memory")) > base::Bytes(0));
}

TEST_CASE("every remedy is a job that the models say runs") {
  World world;
  PlanRequest request = request_for({made_up_gpu("a", 8000, 2)});
  request.precision = Precision::tf32;
  request.layout = base::Layout::nchw;
  request.checkpointing = job::Checkpointing{};
  request.batch = 6;
  request.job.image = {3, 2000, 1600};
  request.others = {made_up_gpu("larger", 300'000, 1).target, made_up_gpu("huge", 900'000, 1).target};
  const auto engine = engine_of(world);
  const auto answer = plan(request, engine);
  REQUIRE(answer.has_value());
  REQUIRE_FALSE(answer->recommendation);
  REQUIRE(answer->max_batch.at(0).hard == 0);
  REQUIRE_FALSE(answer->remedies.empty());
  for (const Remedy& one : answer->remedies) {
    estimate::Target target = request.candidates[0].target;
    if (one.code == "more-memory") {
      target = request.others[0];
    }
    INFO(one.code << ": " << one.change);
    CHECK(engine.memory(one.job, target)->verdict != Verdict::does_not_fit);
    const double less = world.allocated(answer->job) - world.allocated(one.job);
    CHECK(one.saved.as_double() == Approx(one.code == "more-memory" ? 0 : std::max(0.0, less)).margin(2));
  }
  REQUIRE(remedy(*answer, "more-memory") != nullptr);
  CHECK(remedy(*answer, "more-memory")->gpu == "larger");
  CHECK(remedy(*answer, "lower-resolution") != nullptr);
  CHECK(remedy(*answer, "tiles") != nullptr);
}

TEST_CASE("tiles keep a deadline only where all tiles of an image do") {
  World world;
  PlanRequest request = request_for({made_up_gpu("a", 8000, 1)});
  request.precision = Precision::tf32;
  request.layout = base::Layout::nchw;
  request.checkpointing = job::Checkpointing{};
  request.batch = 6;
  request.job.image = {3, 2000, 1600};
  request.job.data.images = 1200;
  request.deadline = base::Seconds(1e12);
  const auto engine = engine_of(world);
  const auto patient = plan(request, engine);
  const Remedy* tiles = remedy(*patient, "tiles");
  REQUIRE(tiles != nullptr);
  const double pieces = std::stod(tiles->change.substr(tiles->change.find("into ") + 5));
  REQUIRE(pieces > 1);
  const double one_piece = 1200 / world.images_per_second(tiles->job);  // of each image
  request.deadline = base::Seconds(pieces * one_piece * 1.01);
  const auto enough = plan(request, engine);
  CHECK(remedy(*enough, "tiles") != nullptr);
  request.deadline = base::Seconds(pieces * one_piece * 0.99);
  const auto hasty = plan(request, engine);
  CHECK(remedy(*hasty, "tiles") == nullptr);
}

TEST_CASE("remedies that leave training and hardware as they are come first, and the cheapest in time of them") {
  World world;
  PlanRequest request = request_for({made_up_gpu("a", 1700, 1)});
  request.precision = Precision::tf32;
  request.layout = base::Layout::nchw;
  request.checkpointing = job::Checkpointing{};
  request.batch = 8;
  const auto answer = plan(request, engine_of(world));
  REQUIRE(answer.has_value());
  REQUIRE(answer->remedies.size() > 2);
  const auto rank = [](const Remedy& r) {
    return std::tuple(r.changes_training, r.more_hardware, r.slowdown.value_or(1));
  };
  CHECK(std::ranges::is_sorted(answer->remedies, {}, rank));
  CHECK_FALSE(answer->remedies.front().changes_training);
  CHECK(answer->remedies.back().changes_training);
}

TEST_CASE("a smaller batch with accumulation keeps the global batch") {
  World world;
  PlanRequest request = request_for({made_up_gpu("a", 1700, 1)});
  request.precision = Precision::tf32;
  request.layout = base::Layout::nchw;
  request.checkpointing = job::Checkpointing{};
  request.batch = 12;
  const auto answer = plan(request, engine_of(world));
  const Remedy* smaller = remedy(*answer, "smaller-batch");
  REQUIRE(smaller != nullptr);
  CHECK(smaller->job.batch * smaller->job.accumulation == 12);
  CHECK(smaller->job.batch == 4);
}

TEST_CASE(
    "without a price nothing is invented: the cheapest is the one with the fewest GPU-hours, and a warning says so") {
  PlanRequest request = request_for({made_up_gpu("a", 2600, 4)});
  request.objective = Objective::cheapest;
  const auto unpriced = plan(request, engine_of(World{}));
  REQUIRE(unpriced->recommendation);
  CHECK(unpriced->recommendation->estimate.job.parallel.gpus == 1);
  CHECK(std::ranges::any_of(unpriced->warnings, [](const estimate::Warning& w) { return w.code == "price-unknown"; }));
  for (const Evaluated& row : unpriced->pareto) {
    CHECK_FALSE(row.usd_per_hour);
    CHECK_FALSE(row.cost);
  }
  const auto priced = plan(request, engine_of(World{}, {{"a", 2.0}}));
  CHECK(std::ranges::none_of(priced->warnings, [](const estimate::Warning& w) { return w.code == "price-unknown"; }));
}

TEST_CASE("alternatives are as many as asked for, ranked, each of other settings than the recommendation") {
  PlanRequest request = request_for({made_up_gpu("a", 2600, 4)});
  request.top = 3;
  const auto answer = plan(request, engine_of(World{}));
  REQUIRE(answer->alternatives.size() == 3);
  for (std::size_t i = 1; i < 3; ++i) {
    CHECK(answer->alternatives[i - 1].images_per_second >= answer->alternatives[i].images_per_second);
  }
  for (const Evaluated& row : answer->alternatives) {
    job::Job settings = row.job;
    settings.batch = answer->recommendation->estimate.job.batch;
    CHECK(settings != answer->recommendation->estimate.job);
  }
}

TEST_CASE("the recommendation says how much it leaves free") {
  PlanRequest request = request_for({made_up_gpu("a", 2600, 4)});
  CHECK(plan(request, engine_of(World{}))->recommendation->reserve == base::Bytes(0));
  request.reserve = {.percent = 10, .bytes = base::Bytes(40)};
  CHECK(plan(request, engine_of(World{}))->recommendation->reserve == base::Bytes(300));
}

}  // namespace
}  // namespace vggplan::planner
