// SPDX-License-Identifier: MIT
// Remedies of jobs that do not fit made-up GPUs, against trying all changes, and each number in them read back.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <regex>
#include <set>

#include "planner/changes.hpp"
#include "planner/resolution.hpp"
#include "support/catch.hpp"
#include "support/random_plan.hpp"
#include "support/request.hpp"
#include "vggplan/base/format.hpp"
#include "vggplan/planner/plan.hpp"

namespace vggplan::planner {
namespace {

using estimate::Target;
using estimate::Verdict;
using support::Dice;
using support::World;

/// A job of which nothing is open, on a GPU that is too small for it; bytes as large as real ones.
struct Refused {
  World world{};
  support::Prices prices{{"small", 2}, {"other0", 1}, {"other1", 5}};
  PlanRequest request{};
  estimate::Engine engine{};
  job::Job job{};

  explicit Refused(std::uint32_t seed) {
    Dice dice(seed);
    world = support::random_world(dice);
    for (double* bytes : {&world.fixed, &world.state, &world.buckets}) {
      *bytes *= 1e6;
    }
    world.image = 1e5 * dice.between(100, 1000);
    if (dice.coin()) {  // mostly state
      world.state = world.fixed * dice.between(0.5, 0.95);
      world.optimizer = world.fixed * dice.between(0, 2);
      world.image *= 0.2;
    }
    engine = support::engine_of(world, prices);
    job = support::small_job();
    job.model = support::vgg(11, dice.whole(0, 5) == 0);
    job.mode = dice.whole(0, 7) == 0 ? job::Mode::infer : job::Mode::train;
    const std::int64_t longest = dice.coin() ? 1200 : 300;
    job.image = {3, dice.whole(32, longest), dice.whole(32, longest)};
    job.batch = dice.whole(1, 6);
    job.accumulation = job.mode == job::Mode::train ? dice.whole(1, 2) : 1;
    job.precision = dice.coin() ? job::Precision::tf32 : job::Precision::amp_bf16;
    job.optimizer = dice.coin() ? job::Optimizer::adam : job::Optimizer::sgd;
    ask(dice);
  }

  [[nodiscard]] const Target& target() const { return request.candidates.front().target; }
  [[nodiscard]] std::int64_t bytes(double value) const { return static_cast<std::int64_t>(value); }
  [[nodiscard]] bool fits(const job::Job& other, const Target& where) const {
    if (job::validate(other)) {
      return false;
    }
    const double reserve =
        std::floor(where.usable.as_double() * request.reserve.percent / 100) + request.reserve.bytes.as_double();
    return world.verdict(other, where.usable.as_double()) == Verdict::fits &&
           std::floor(world.reserved(other)) <= where.usable.as_double() - reserve;
  }
  /// Within the limits of time and money, where so many images stand for one.
  [[nodiscard]] bool within_limits(const job::Job& other, const std::string& gpu, double pieces) const {
    const auto images = static_cast<double>(request.job.data.images.value_or(1));
    const auto batch = static_cast<double>(job::global_batch(other));
    const double seconds = pieces * std::ceil(images / batch) * batch / world.images_per_second(other);
    const auto gpus = static_cast<double>(other.parallel.gpus);
    const bool cheap = !request.max_cost ||
                       (prices.contains(gpu) && prices.at(gpu) * gpus * seconds / 3600 <= request.max_cost->count());
    return cheap && (!request.deadline || seconds <= request.deadline->count());
  }

 private:
  void ask(Dice& dice) {
    // Short of what is needed by a little, or by nearly all.
    const double usable =
        world.reserved(job) * (dice.coin() ? 1 - std::pow(10, -dice.between(0.1, 4)) : dice.between(0.02, 1));
    Candidate candidate = support::made_up_gpu("small", bytes(usable), 1, dice.coin());
    candidate.exactly = true;
    candidate.per_node = dice.whole(1, 9);
    for (int i = 0; i < 3; ++i) {
      const std::string name = "other" + std::to_string(i);
      request.others.push_back(
          support::made_up_gpu(name, bytes(world.reserved(job) * dice.between(0.9, 2)), 1, dice.coin()).target);
    }
    if (dice.coin()) {
      request.reserve = {.percent = dice.between(0, 20), .bytes = base::Bytes(dice.whole(0, 1'000'000))};
    }
    if (dice.whole(0, 3) == 0) {
      request.max_gpus = dice.whole(1, 8);
    }
    if (dice.whole(0, 3) == 0) {
      job.data.images = 1000;
      const double seconds = 1000 / world.images_per_second(job) * dice.between(0.5, 3);
      if (dice.coin()) {
        request.deadline = base::Seconds(seconds);
      } else {
        request.max_cost = base::Usd(2 * seconds / 3600);
      }
    }
    request.candidates = {candidate};
    request.job = job;
    request.accumulation = job.accumulation;
    support::settle(request, job);
  }
};

class Patient {
 public:
  Patient(const Refused& asked, const Plan& plan) : asked_(asked), plan_(plan), job_(plan.job) {
    const Candidate& candidate = asked.request.candidates.front();
    const std::int64_t most = asked.request.max_gpus.value_or(candidate.per_node);
    changes_ = possible_changes(job_, candidate.target.gpu, std::min(most, candidate.per_node));
  }

  /// The codes that there are.
  std::set<std::string> check() const {
    std::set<std::string> codes;
    for (const Remedy& remedy : plan_.remedies) {
      INFO(remedy.code << ": " << remedy.change << "; " << remedy.saves << "; " << remedy.costs);
      codes.insert(remedy.code);
      double pieces = 1;
      if (remedy.code == "combination") {
        check_combination(remedy);
      } else if (remedy.code == "more-memory") {
        check_more_memory(remedy);
      } else if (remedy.code == "tiles") {
        pieces = check_tiles(remedy);
      } else if (remedy.code == "lower-resolution") {
        check_resolution(remedy);
      }
      check_figures(remedy, pieces);
    }
    check_single();
    CHECK(std::ranges::is_sorted(plan_.remedies, {}, [](const Remedy& r) {
      return std::tuple(r.changes_training, r.more_hardware, r.slowdown.value_or(1), -r.saved.count());
    }));
    if (!asked_.request.deadline && !asked_.request.max_cost) {
      const bool single = std::ranges::any_of(changes_, [&](const Change& c) { return fits(c.remedy.job); });
      CHECK(codes.contains("combination") <= !single);
      CHECK((single || asked_.world.flicker > 0 || codes.contains("combination") == !combination(true, true).empty()));
      CHECK(codes.contains("more-memory"));
      CHECK((asked_.world.flicker > 0 || codes.contains("lower-resolution") == (largest_side() > 0)));
      CHECK((asked_.world.flicker > 0 || codes.contains("tiles") == can_be_cut()));
    }
    return codes;
  }

 private:
  [[nodiscard]] bool fits(const job::Job& job) const { return asked_.fits(job, asked_.target()); }
  [[nodiscard]] base::Bytes peak(const job::Job& job) const {
    return base::Bytes(asked_.bytes(asked_.world.allocated(job)));
  }

  [[nodiscard]] const Target& where(const Remedy& remedy) const {
    const auto other = std::ranges::find(asked_.request.others, remedy.gpu, [](const Target& t) { return t.gpu.name; });
    return other == asked_.request.others.end() ? asked_.target() : *other;
  }

  void check_figures(const Remedy& remedy, double pieces) const {
    const bool unknown = remedy.change.find("none that is known") != std::string::npos;
    CHECK((unknown || asked_.fits(remedy.job, where(remedy))));
    CHECK(asked_.within_limits(remedy.job, remedy.gpu, pieces));
    CHECK(remedy.memory.verdict == Verdict::fits);
    CHECK(remedy.memory.run_peak == peak(remedy.job));
    const double slowdown = pieces * asked_.world.images_per_second(job_) / asked_.world.images_per_second(remedy.job);
    CHECK(*remedy.slowdown == Approx(slowdown));
    std::smatch found;
    const bool slower = std::regex_search(remedy.costs, found, std::regex("^([0-9.]+) times the time per image(; |$)"));
    CHECK(slower == (slowdown >= 1.005));
    CHECK((!slower || std::stod(found[1]) == Approx(slowdown).margin(0.0051)));
    CHECK((remedy.costs == "nothing") <= (slowdown < 1.005 && !remedy.changes_training && !remedy.more_hardware));
    CHECK_FALSE(remedy.costs.empty());
    if (remedy.code == "more-memory") {
      return;
    }
    CHECK(remedy.saved == std::max(base::Bytes(0), peak(job_) - peak(remedy.job)));
    CHECK(remedy.saves.starts_with("the peak falls to " + base::format_bytes(peak(remedy.job))));
    const bool faster = std::regex_search(remedy.saves, found, std::regex("; ([0-9.e+]+) times as fast$"));
    CHECK(faster == (slowdown <= 0.95));
    CHECK((!faster || std::stod(found[1]) == Approx(1 / slowdown).epsilon(0.051)));
  }

  /// All changes that help by themselves; of smaller batches the largest.
  void check_single() const {
    std::vector<std::pair<std::string, job::Job>> expected;
    bool smaller = false;
    for (const auto& [remedy, edit] : changes_) {
      const bool shrinks = remedy.code == "smaller-batch";
      if (fits(remedy.job) && !(shrinks && smaller)) {
        smaller = smaller || shrinks;
        if (asked_.within_limits(remedy.job, asked_.target().gpu.name, 1)) {
          expected.emplace_back(remedy.change, remedy.job);
        }
      }
    }
    std::vector<std::pair<std::string, job::Job>> found;
    for (const Remedy& remedy : plan_.remedies) {
      if (!std::set<std::string>{"combination", "more-memory", "tiles", "lower-resolution"}.contains(remedy.code)) {
        found.emplace_back(remedy.change, remedy.job);
      }
    }
    std::ranges::sort(expected, {}, [](const auto& entry) { return entry.first; });
    std::ranges::sort(found, {}, [](const auto& entry) { return entry.first; });
    CHECK(found == expected);
  }

  [[nodiscard]] job::Job with(const std::vector<Change>& changes) const {
    job::Job job = job_;
    for (const Change& change : changes) {
      change.edit(job);
    }
    return job;
  }

  /// Any choice of one change of each code that fits; more GPUs take the place of smaller batches.
  [[nodiscard]] std::vector<Change> combination(bool hardware, bool training) const {
    std::map<std::string, std::vector<Change>> codes;
    for (const Change& change : changes_) {
      if ((hardware || !change.remedy.more_hardware) && (training || !change.remedy.changes_training)) {
        codes[change.remedy.code].push_back(change);
      }
    }
    std::vector<std::vector<Change>> piles{{}};
    for (const auto& [code, options] : codes) {
      const std::vector<std::vector<Change>> without = piles;
      for (const Change& option : options) {
        for (std::vector<Change> pile : without) {
          pile.push_back(option);
          piles.push_back(pile);
        }
      }
    }
    for (const std::vector<Change>& pile : piles) {
      const auto has = [&](auto holds) { return std::ranges::any_of(pile, holds); };
      const bool both = has([](const Change& c) { return c.remedy.code == "smaller-batch"; }) &&
                        has([](const Change& c) { return c.remedy.more_hardware; });
      if (!both && world_fits(with(pile))) {
        return pile;
      }
    }
    return {};
  }
  /// Without asking whether it is a job, which takes its time.
  [[nodiscard]] bool world_fits(const job::Job& job) const {
    return asked_.world.reserved(job) <= asked_.target().usable.as_double() && fits(job);
  }

  void check_combination(const Remedy& remedy) const {
    std::vector<Change> parts;
    std::string words;
    std::string costs;
    for (const Change& change : changes_) {
      const std::size_t at = remedy.change.find(change.remedy.change);
      if (at != std::string::npos) {
        parts.push_back(change);
        words += (words.empty() ? "" : ", and ") + change.remedy.change;
        costs += (costs.empty() || change.remedy.costs.empty() ? "" : "; ") + change.remedy.costs;
      }
    }
    CHECK(remedy.change == words);
    CHECK((costs.empty() || remedy.costs.ends_with(costs)));
    CHECK(remedy.job == with(parts));
    const auto any = [&](bool Remedy::*trait) {
      return std::ranges::any_of(parts, [&](const Change& c) { return c.remedy.*trait; });
    };
    CHECK(remedy.changes_training == any(&Remedy::changes_training));
    CHECK(remedy.more_hardware == any(&Remedy::more_hardware));
    CHECK(remedy.changes_training <= combination(true, false).empty());
    CHECK(remedy.more_hardware <= combination(false, false).empty());
    std::set<std::string> codes;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      CHECK(codes.insert(parts[i].remedy.code).second);
      std::vector<Change> fewer = parts;
      fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
      CHECK_FALSE(fits(with(fewer)));
      for (const Change& milder : changes_) {
        if (milder.remedy.change == parts[i].remedy.change) {
          break;
        }
        std::vector<Change> other = parts;
        other[i] = milder;
        CHECK((milder.remedy.code != parts[i].remedy.code || !fits(with(other))));
      }
    }
  }

  void check_more_memory(const Remedy& remedy) const {
    const auto with_capacity = [&](std::int64_t mebibytes) {
      Target target = asked_.target();
      target.usable = base::kMiB * mebibytes;
      return target;
    };
    auto enough = static_cast<std::int64_t>(asked_.world.reserved(job_) / base::kMiB.as_double());
    while (!asked_.fits(job_, with_capacity(enough))) {
      ++enough;
    }
    CHECK_FALSE(asked_.fits(job_, with_capacity(enough - 1)));
    CHECK(remedy.change.find(base::format_bytes(base::kMiB * enough)) != std::string::npos);
    CHECK(remedy.saves == fmt::format("{} more than the {} that are usable",
                                      base::format_bytes(base::kMiB * enough - asked_.target().usable),
                                      base::format_bytes(asked_.target().usable)));
    CHECK(remedy.saved == base::Bytes(0));
    CHECK(remedy.job == job_);
    CHECK(remedy.more_hardware);
    std::optional<Target> smallest;
    for (const Target& other : asked_.request.others) {
      const bool able = job_.precision != job::Precision::amp_bf16 || other.gpu.bf16_tensor;
      if (able && asked_.fits(job_, other) && (!smallest || other.usable < smallest->usable)) {
        smallest = other;
      }
    }
    const std::string known = smallest ? ", such as " + smallest->gpu.name : "; none that is known has it";
    CHECK(remedy.change.ends_with(known));
    CHECK((!smallest || remedy.gpu == smallest->gpu.name));
    CHECK(remedy.memory.usable == (smallest ? smallest->usable : base::kMiB * enough));
  }

  [[nodiscard]] double check_tiles(const Remedy& remedy) const {
    std::smatch found;
    const std::string text = remedy.change;
    REQUIRE(std::regex_match(text, found,
                             std::regex("cut each image into ([0-9]+) tiles of up to ([0-9]+)x([0-9]+) that share "
                                        "([0-9]+) pixels \\(an output of the last pooling sees ([0-9]+) pixels\\)")));
    const auto field = estimate::receptive_field(job::network_of(job_).value());
    CHECK(remedy.job.image.height == std::stoll(found[2]));
    CHECK(remedy.job.image.width == std::stoll(found[3]));
    CHECK(std::stoll(found[5]) == field.size);
    const std::int64_t side = std::max(remedy.job.image.height, remedy.job.image.width);
    const Tiling cut = tiling(job_.image, field, side);
    CHECK(std::stoll(found[1]) == cut.tiles);
    CHECK(std::stoll(found[4]) == cut.overlap);
    CHECK(remedy.changes_training);
    job::Job larger = job_;
    larger.image.height = std::min(job_.image.height, side + field.stride);
    larger.image.width = std::min(job_.image.width, side + field.stride);
    CHECK_FALSE(fits(larger));
    return std::stod(found[1]);
  }

  /// Whether any tile fits of which several cover the image.
  [[nodiscard]] bool can_be_cut() const {
    const auto field = estimate::receptive_field(job::network_of(job_).value());
    const auto [height, width] = std::pair(job_.image.height, job_.image.width);
    for (std::int64_t side = field.stride; side < std::max(height, width); side += field.stride) {
      job::Job tile = job_;
      tile.image = {3, std::min(height, side), std::min(width, side)};
      if (tiling(job_.image, field, side).tiles > 1 && fits(tile)) {
        return true;
      }
    }
    return false;
  }

  /// The largest image of the same aspect that fits; memory grows with it.
  [[nodiscard]] std::int64_t largest_side() const {
    std::int64_t best = 0;
    const std::int64_t longest = std::max(job_.image.height, job_.image.width);
    for (std::int64_t side = longest; side > 0 && best == 0; --side) {
      best = fits(of_side(side)) ? side : 0;
    }
    return best;
  }
  [[nodiscard]] job::Job of_side(std::int64_t side) const {
    job::Job job = job_;
    const auto longest = static_cast<double>(std::max(job_.image.height, job_.image.width));
    const auto scaled = [&](std::int64_t length) {
      return std::max<std::int64_t>(
          1, static_cast<std::int64_t>(std::floor(static_cast<double>(length * side) / longest + 0.5)));
    };
    job.image = {3, scaled(job_.image.height), scaled(job_.image.width)};
    return job;
  }

  void check_resolution(const Remedy& remedy) const {
    std::smatch found;
    const std::string text = remedy.change;
    REQUIRE(std::regex_match(text, found,
                             std::regex("scale the images to ([0-9]+)x([0-9]+) \\(([0-9.]+) % of the pixels\\)")));
    const graph::Shape& image = remedy.job.image;
    CHECK(image.height == std::stoll(found[1]));
    CHECK(image.width == std::stoll(found[2]));
    CHECK(remedy.changes_training);
    if (asked_.world.flicker == 0) {
      CHECK(image == of_side(largest_side()).image);
    }
    const double percent = 100 * static_cast<double>(image.height * image.width) /
                           static_cast<double>(job_.image.height * job_.image.width);
    CHECK(std::stod(found[3]) == Approx(percent).epsilon(0.0501));
    CHECK(std::stod(found[3]) < 100);
  }

  const Refused& asked_;
  const Plan& plan_;
  const job::Job& job_;
  std::vector<Change> changes_{};
};

TEST_CASE("remedies are all that help, the mildest that do, and each number in them is the models'") {
  std::map<std::string, int> times;
  for (std::uint32_t seed = 1; seed <= 600; ++seed) {
    const Refused asked(seed);
    const auto answer = plan(asked.request, asked.engine);
    if (!answer || answer->recommendation || answer->max_batch.empty() || answer->remedies.empty()) {  // limits
      continue;
    }
    INFO("seed " << seed << " " << base::format_bytes(asked.target().usable));
    for (const std::string& code : Patient(asked, *answer).check()) {
      ++times[code];
    }
  }
  for (const char* code : {"precision", "layout", "checkpointing", "smaller-batch", "combination", "more-memory",
                           "tiles", "lower-resolution", "sharding"}) {
    INFO(code);
    CHECK(times[code] >= 4);
  }
}

/// What is offered under a code for a job of which nothing is open.
Remedy remedy_for(const std::string& code, const World& world, const job::Job& job, std::int64_t usable,
                  std::int64_t per_node) {
  PlanRequest request;
  request.job = job;
  support::settle(request, job);
  request.candidates = {support::made_up_gpu("a", usable, 1)};
  request.candidates[0].per_node = per_node;
  const auto answer = plan(request, support::engine_of(world));
  REQUIRE(answer.has_value());
  const auto found = std::ranges::find(answer->remedies, code, &Remedy::code);
  REQUIRE(found != answer->remedies.end());
  return *found;
}

TEST_CASE("more GPUs take the place of smaller batches alone: other settings stay beside them") {
  World world;
  world.state = 900;
  world.slack = 1;
  // Eight GPUs with an image each leave 263 + 100 bytes, of which 16 bits save 45. FSDP2 refuses channels_last, which
  // would save memory, too.
  job::Job job = support::small_job();
  job.batch = 8;
  const Remedy both = remedy_for("combination", world, job, 325, 8);
  CHECK(both.more_hardware);
  CHECK_FALSE(both.changes_training);
  CHECK(both.job.parallel.gpus == 8);
  CHECK(world.allocated(both.job) <= 325);
}

TEST_CASE("a share of the pixels has digits that tell it from nothing and from all, and no more") {
  World world;
  world.slack = 1;
  const std::vector<std::tuple<std::int64_t, std::int64_t, std::string>> shares{
      {1200, 33, "0.076"}, {1000, 70, "0.49"},   {1000, 315, "9.9"},   {1000, 316, "10"},     {1000, 700, "49"},
      {5000, 4973, "99"},  {5000, 4974, "99.0"}, {5000, 4998, "99.9"}, {5000, 4999, "99.960"}};
  for (const auto& [whole, side, percent] : shares) {
    job::Job job = support::small_job();
    job.image = {3, side, side};
    const double usable = std::ceil(world.allocated(job));
    job.image = {3, whole, whole};
    CHECK(remedy_for("lower-resolution", world, job, static_cast<std::int64_t>(usable), 1).change ==
          fmt::format("scale the images to {0}x{0} ({1} % of the pixels)", side, percent));
  }
}

TEST_CASE("a combination has the largest batch that does") {
  World world;
  world.fixed = 500;
  world.optimizer = 1000;
  world.slack = 1;
  job::Job job = support::small_job();
  job.precision = job::Precision::amp_bf16;
  job.layout = base::Layout::nhwc;
  job.checkpointing = {job::Checkpointing::Kind::block, 0};
  job.optimizer = job::Optimizer::adam;
  job.batch = 4;  // of 19.8 bytes each
  const Remedy smaller = remedy_for("combination", world, job, 545, 1);
  CHECK(smaller.job.batch == 2);
  CHECK(smaller.job.accumulation == 2);
  CHECK(smaller.job.optimizer == job::Optimizer::sgd);
}

TEST_CASE("tiles are offered where all of them together keep the limits, and without a time nothing is") {
  World world;
  world.slack = 1;
  world.launch = world.update = 0;
  PlanRequest request;
  request.job = support::small_job();
  request.job.image = {3, 1000, 1000};
  request.job.data.images = 100;
  support::settle(request, request.job);
  request.candidates = {support::made_up_gpu("a", 7000, 1)};
  const auto remedies = [&](double seconds, const estimate::Engine& engine) {
    request.deadline = base::Seconds(seconds);
    return plan(request, engine)->remedies;
  };
  const auto find = [](const std::vector<Remedy>& all, const char* code) {
    return std::ranges::find(all, code, &Remedy::code);
  };
  const auto engine = support::engine_of(world);
  const auto any = remedies(1e9, engine);
  const auto cut = find(any, "tiles");
  REQUIRE(cut != any.end());
  const double tiles = std::stod(cut->change.substr(std::string("cut each image into ").size()));
  const double all_of_them = 100 * tiles * world.step_seconds(cut->job);
  const auto enough = remedies(all_of_them * 1.0001, engine);
  CHECK(find(enough, "tiles") != enough.end());
  const auto short_of_time = remedies(all_of_them * 0.9999, engine);
  CHECK(find(short_of_time, "tiles") == short_of_time.end());

  auto timeless = engine;
  timeless.time = [=](const job::Job& job, const Target& target) -> base::Result<estimate::TimeAnswer> {
    if (job.image.height < 1000) {
      return base::wrong("--size", "has no time");
    }
    return engine.time(job, target);
  };
  const auto known = remedies(1e9, timeless);
  CHECK(find(known, "tiles") == known.end());
  CHECK(find(known, "more-memory") != known.end());
}

}  // namespace
}  // namespace vggplan::planner
