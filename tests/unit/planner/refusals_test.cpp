// SPDX-License-Identifier: MIT
// What a plan says where it recommends nothing: which limit stands in the way, by how much, and what helps.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "support/catch.hpp"
#include "support/every_candidate.hpp"
#include "support/request.hpp"
#include "vggplan/base/format.hpp"
#include "vggplan/planner/plan.hpp"

namespace vggplan::planner {
namespace {

using support::Everything;
using support::label;
using support::MadeUpQuestion;
using support::Tried;

/// What is written between two texts.
std::string between(const std::string& text, const std::string& before, const std::string& after) {
  const std::size_t begin = text.find(before);
  if (begin == std::string::npos) {
    return "";
  }
  const std::string rest = text.substr(begin + before.size());
  return rest.substr(0, rest.find(after));
}

/// Without the commas between thousands.
std::string digits(std::string text) {
  std::erase(text, ',');
  return text;
}
double seconds_in(const std::string& text) { return base::parse_duration(digits(text), "").value().count(); }
double dollars_in(const std::string& text) { return std::stod(digits(text)); }

/// A data set whose batches are not all worth a step of their own: the smallest batch of as many steps stands for all.
bool wasteful(const job::Job& job, const PlanRequest& request) {
  if (!job.data.images || request.batch || request.global_batch || job.batch == 1) {
    return false;
  }
  const std::int64_t one = job.parallel.gpus * job.accumulation;
  const auto steps = [&](std::int64_t batch) { return (*job.data.images + batch * one - 1) / (batch * one); };
  return steps(job.batch) == steps(job.batch - 1);
}

/// Of candidates that memory refuses: how many for which reason, the nearest, and that the example is one of them.
void check_rows(const Plan& plan, const Everything& all, const PlanRequest& request) {
  std::map<std::string, std::vector<Tried>> rows;
  for (const Tried& e : all.tried) {
    if (!wasteful(e.job, request)) {
      rows[e.refused].push_back(e);
    }
  }
  base::Bytes nearest = base::kGiB;
  for (const auto& [reason, those] : rows) {
    const auto row = std::ranges::find(plan.rejected, reason, &Rejection::reason);
    INFO(reason);
    REQUIRE(row != plan.rejected.end());
    CHECK(row->count == static_cast<std::int64_t>(those.size()));
    const base::Bytes least = std::ranges::min(those, {}, &Tried::miss).miss;
    nearest = std::min(nearest, least);
    CHECK(row->nearest_miss == (least > base::Bytes(0) ? Miss(least) : Miss()));
    CHECK(std::ranges::any_of(those, [&](const Tried& e) {
      return e.miss == least && label(e.job, request.candidates[e.gpu].target.gpu.name) == row->example;
    }));
  }
  CHECK(std::ranges::is_sorted(plan.rejected, std::ranges::greater{}, &Rejection::count));
  CHECK(std::ranges::any_of(all.tried, [&](const Tried& e) { return e.job == plan.job && e.miss == nearest; }));
  // Of several that are as near, those of the first settings, which are closest to PyTorch's defaults.
  job::Job first = std::ranges::find_if(all.tried, [&](const Tried& e) {
                     return e.miss == nearest && !wasteful(e.job, request);
                   })->job;
  first.batch = plan.job.batch;
  first.accumulation = plan.job.accumulation;
  CHECK(first == plan.job);
}

std::string expected_failure(const Everything& all) {
  for (const char* reason : {"reserve", "cache-flushes", "memory", "memory-floor"}) {
    if (std::ranges::find(all.tried, reason, &Tried::refused) != all.tried.end()) {
      return reason;
    }
  }
  return "";
}

TEST_CASE("where nothing fits, each candidate is counted under its reason, and the nearest speaks for all") {
  int refused = 0;
  std::map<std::string, int> reasons;
  for (std::uint32_t seed = 1; seed <= 120; ++seed) {
    MadeUpQuestion asked(seed);
    asked.world.image *= 1 + 0.15 * static_cast<double>(seed % 20);
    asked.engine = support::engine_of(asked.world, asked.prices);
    const auto answer = plan(asked.request, asked.engine);
    if (answer && answer->recommendation) {
      continue;
    }
    const Everything all(asked.request, asked.engine);
    if (!answer || std::ranges::any_of(all.tried, &Tried::fits) || all.tried.empty()) {
      continue;
    }
    ++refused;
    INFO("seed " << seed);
    REQUIRE_FALSE(answer->recommendation);
    CHECK(answer->evaluated == 0);
    CHECK(answer->rejected_count == answer->enumerated);
    CHECK(answer->failure->reason == expected_failure(all));
    ++reasons[answer->failure->reason];
    check_rows(*answer, all, asked.request);
  }
  CHECK(refused > 20);
  CHECK(reasons.size() == 4);
}

/// Those that fit, and miss nothing but what is asked about.
std::vector<Tried> that_miss(const Everything& all, bool late, bool dear, bool unpriced) {
  std::vector<Tried> those;
  std::ranges::copy_if(all.tried, std::back_inserter(those), [&](const Tried& e) {
    return e.fits() && e.late == late && e.dear == dear && e.unpriced == unpriced;
  });
  return those;
}

/// Of the whole run.
struct RunFigures {
  double images{};
  explicit RunFigures(const PlanRequest& request)
      : images(static_cast<double>(*request.job.data.images *
                                   (request.job.mode == job::Mode::train ? request.job.data.epochs : 1))) {}
  [[nodiscard]] double seconds(const Tried& e) const { return images * e.seconds_per_image; }
  [[nodiscard]] double dollars(const Tried& e) const { return images * e.cost; }
};

template <class Figure>
double least(const std::vector<Tried>& those, Figure figure) {
  double best = HUGE_VAL;
  for (const Tried& e : those) {
    best = std::min(best, figure(e));
  }
  return best;
}

/// The one limit that is to be relaxed stands in the remedy, and it is that of the nearest candidate.
void check_relaxed(const MadeUpQuestion& asked, const Plan& plan, const Everything& all) {
  const RunFigures run(asked.request);
  const auto late = that_miss(all, true, false, false);
  const auto dear = that_miss(all, false, true, false);
  const auto unpriced = that_miss(all, false, false, true);
  const double time = least(late, [&](const Tried& e) { return run.seconds(e); });
  const double money = least(dear, [&](const Tried& e) { return run.dollars(e); });
  const Failure& failure = *plan.failure;
  const std::string both = "limits";
  CHECK(failure.reason == (!late.empty() && !dear.empty() ? both
                           : !late.empty()                ? "deadline"
                           : !dear.empty()                ? "max-cost"
                           : !unpriced.empty()            ? "price"
                                                          : both));
  // Shown to three digits, and groups that gain less than 1 % may be left out.
  if (!late.empty()) {
    CHECK(seconds_in(between(failure.detail, "nearest takes ", " (")) == Approx(time).epsilon(0.02));
  }
  if (!dear.empty()) {
    const std::string costs = between(failure.detail, "nearest costs ", " (");
    CHECK((costs == "<$0.01" ? 0.005 : dollars_in(costs.substr(1))) == Approx(money).epsilon(0.02).margin(0.006));
  }
  if (!late.empty() && !dear.empty()) {
    CHECK(failure.detail.starts_with("within the budget the nearest takes "));
    CHECK(failure.detail.find("; within the deadline the nearest costs $") != std::string::npos);
  }
}

/// GPUs that the plan may add: one by one up to a machine, then whole machines; with fixed machines one for each.
std::vector<std::int64_t> larger_counts(const PlanRequest& request, const Candidate& candidate, std::int64_t gpus) {
  std::vector<std::int64_t> counts;
  for (std::int64_t n = gpus + 1; n <= request.max_gpus.value_or(512); ++n) {
    const bool whole = n <= candidate.per_node || n % candidate.per_node == 0;
    if (request.nodes ? n % *request.nodes == 0 && n <= *request.nodes * candidate.per_node : whole) {
      counts.push_back(n);
    }
  }
  return counts;
}

class Relaxed {
 public:
  Relaxed(const MadeUpQuestion& asked, const Plan& plan) : asked_(asked), request_(asked.request), plan_(plan) {}

  std::set<std::string> check() const {
    std::set<std::string> codes;
    for (const Remedy& remedy : plan_.remedies) {
      INFO(remedy.code << ": " << remedy.change << "; " << remedy.saves << "; " << remedy.costs);
      CHECK(codes.insert(remedy.code).second);
      const Tried now = support::try_out(request_, asked_.engine, remedy.job, of(remedy));
      const RunFigures run(request_);
      const std::string cost = now.priced ? " and costs " + base::format_usd(base::Usd(run.dollars(now))) : "";
      CHECK(remedy.saves == "the run takes " + base::format_seconds(base::Seconds(run.seconds(now))) + cost);
      CHECK(remedy.memory.run_peak == asked_.engine.memory(remedy.job, request_.candidates[now.gpu].target)->run_peak);
      if (remedy.code == "more-gpus") {
        check_more(remedy, now);
      } else {
        CHECK(remedy.slowdown == 1.0);
        CHECK_FALSE(remedy.more_hardware);
        CHECK_FALSE(remedy.changes_training);
        check_allowed(remedy, now, run);
      }
    }
    return codes;
  }

 private:
  [[nodiscard]] std::size_t of(const Remedy& remedy) const {
    const auto name = [](const Candidate& c) { return c.target.gpu.name; };
    return static_cast<std::size_t>(std::ranges::find(request_.candidates, remedy.gpu, name) -
                                    request_.candidates.begin());
  }

  /// What is allowed is no less than what the run takes, and no more than by what it is rounded to.
  void check_allowed(const Remedy& remedy, const Tried& now, const RunFigures& run) const {
    CHECK(now.fits());
    const std::string time = between(remedy.change, "allow ", " and $");
    if (remedy.code == "deadline") {
      CHECK(now.late);
      const double over = seconds_in(time.substr(0, time.find(", and give"))) - run.seconds(now);
      CHECK(over > -1e-6);
      CHECK(over <= (run.seconds(now) < 3600 ? 1.0001 : run.seconds(now) < 47 * 3600 ? 60.001 : 3600.1));
      CHECK((remedy.change.find("$") != std::string::npos) == (now.priced && now.dear));
      CHECK(remedy.change.ends_with(", and give a price with --price") == now.unpriced);
      CHECK(remedy.costs == (now.dear || now.unpriced ? "time and money" : "time"));
    }
    if (const std::size_t at = remedy.change.find('$');
        remedy.code == "max-cost" || (at != std::string::npos && remedy.code == "deadline")) {
      const double over = dollars_in(remedy.change.substr(at + 1)) - run.dollars(now);
      CHECK(now.dear);
      CHECK(over > -1e-9);
      CHECK(over <= 0.0101);
      CHECK((remedy.code == "deadline" || remedy.costs == "money"));
    }
    if (remedy.code == "price") {
      CHECK(now.unpriced);
      const double most = request_.max_cost->count() / (run.images * now.cost);
      CHECK(remedy.change.starts_with(fmt::format("give the price of {0} (--price {0}=USD_PER_HOUR)", remedy.gpu)));
      const std::string figure = between(remedy.change, "up to $", " an hour");
      CHECK((figure.empty() || dollars_in(figure) <= most));
      CHECK((figure.empty() || dollars_in(figure) >= most - (most >= 0.1 ? 0.0101 : most / 10)));
      const std::size_t cents = figure.find('.') + 3;  // to the cent, or two digits where that is more
      CHECK((figure.empty() || (figure.size() == cents && most >= 0.1) ||
             (figure.size() == figure.find_first_not_of("0.") + 2 && most < 0.1)));
      CHECK((!figure.empty() || most < 0.001));  // no machine is as cheap
      CHECK(remedy.costs == (figure.empty() ? "money" : "nothing"));
    }
  }

  void check_more(const Remedy& remedy, const Tried& now) const {
    CHECK(now.counts());
    CHECK(remedy.more_hardware);
    CHECK(remedy.change == fmt::format("use {} GPUs", remedy.job.parallel.gpus));
    const bool fixed = request_.global_batch.has_value();
    CHECK(remedy.costs ==
          (fixed ? "more GPUs" : fmt::format("changes training: a global batch of {}", job::global_batch(remedy.job))));
    CHECK(remedy.changes_training == (!fixed && remedy.job.mode == job::Mode::train));
    CHECK((!fixed || job::global_batch(remedy.job) == *request_.global_batch));
  }

  const MadeUpQuestion& asked_;
  const PlanRequest& request_;
  const Plan& plan_;
};

/// The fewest GPUs more with which the best of those that are only late keeps every limit.
std::optional<std::int64_t> enough_gpus(const MadeUpQuestion& asked, const Everything& all) {
  const PlanRequest& request = asked.request;
  const auto best = all.best_of(that_miss(all, true, false, false));
  if (!best) {
    return std::nullopt;
  }
  const Candidate& candidate = request.candidates[best->gpu];
  for (const std::int64_t gpus : larger_counts(request, candidate, best->job.parallel.gpus)) {
    job::Job job = best->job;
    job.parallel.gpus = gpus;
    job.parallel.nodes = request.nodes.value_or((gpus + candidate.per_node - 1) / candidate.per_node);
    if (request.global_batch) {
      job.accumulation = *request.global_batch / (job.batch * gpus);
    }
    const bool divides = !request.global_batch || job::global_batch(job) == *request.global_batch;
    const bool idle = !request.global_batch && job::global_batch(job) > *job.data.images;
    if (divides && !idle && support::try_out(request, asked.engine, job, best->gpu).counts()) {
      return gpus;
    }
  }
  return std::nullopt;
}

/// What is to be relaxed is offered for each limit that alone stands in the way; time and money where both do.
void check_offered(const MadeUpQuestion& asked, const Everything& all, const Plan& plan) {
  const auto offered = [&](const std::string& code) {
    return std::ranges::find(plan.remedies, code, &Remedy::code) != plan.remedies.end();
  };
  const bool late = !that_miss(all, true, false, false).empty();
  const bool dear = !that_miss(all, false, true, false).empty();
  const bool unpriced = !that_miss(all, false, false, true).empty();
  CHECK(offered("deadline") == (late || (!dear && !unpriced)));
  CHECK(offered("max-cost") == dear);
  CHECK(offered("price") == unpriced);
  const auto gpus = enough_gpus(asked, all);
  const auto more = std::ranges::find(plan.remedies, "more-gpus", &Remedy::code);
  REQUIRE((more != plan.remedies.end()) == gpus.has_value());
  CHECK((!gpus || more->job.parallel.gpus == *gpus));
}

TEST_CASE("where a limit is missed, the failure names it and the nearest candidate, and remedies what is enough") {
  std::map<std::string, int> reasons;
  std::map<std::string, int> remedies;
  for (std::uint32_t seed = 1; seed <= 1000; ++seed) {
    MadeUpQuestion asked(seed);
    asked.request.job.data.images = 200 + 40 * (seed % 50);
    // Runs of seconds, of hours and of weeks.
    const double slower = std::pow(60, seed / 3 % 3);
    for (double* seconds :
         {&asked.world.image_seconds, &asked.world.launch, &asked.world.update, &asked.world.exchange}) {
      *seconds *= slower;
    }
    asked.world.input_rate /= slower;
    asked.engine = support::engine_of(asked.world, asked.prices);
    asked.request.deadline.reset();
    asked.request.max_cost.reset();
    const std::vector<Tried> free = that_miss(Everything(asked.request, asked.engine), false, false, false);
    if (free.empty()) {
      continue;
    }
    const RunFigures run(asked.request);
    support::Dice dice(seed);
    if (seed % 3 != 0) {
      const double time = least(free, [&](const Tried& e) { return run.seconds(e); });
      asked.request.deadline = base::Seconds(time * dice.between(0.05, 1.2));
    }
    if (seed % 3 != 1) {
      const double money = least(free, [&](const Tried& e) { return run.dollars(e); });
      asked.request.max_cost = base::Usd(money * dice.between(0.05, 1.2) * (seed % 5 == 0 ? 0.02 : 1));
    }
    const auto answer = plan(asked.request, asked.engine);
    if (!answer || answer->recommendation) {
      continue;  // whether that is right is asked elsewhere
    }
    const Everything all(asked.request, asked.engine);
    if (!all.that_count().empty() || std::ranges::none_of(all.tried, &Tried::fits)) {
      continue;
    }
    INFO("seed " << seed);
    REQUIRE_FALSE(answer->recommendation);
    CHECK(answer->job == asked.request.job);
    check_relaxed(asked, *answer, all);
    ++reasons[answer->failure->reason];
    const std::set<std::string> codes = Relaxed(asked, *answer).check();
    check_offered(asked, all, *answer);
    for (const std::string& code : codes) {
      ++remedies[code];
    }
  }
  CHECK(reasons["deadline"] > 5);
  CHECK(reasons["max-cost"] > 5);
  CHECK(reasons["limits"] > 5);
  CHECK(reasons["price"] > 5);
  for (const char* code : {"deadline", "max-cost", "price", "more-gpus"}) {
    INFO(code);
    CHECK(remedies[code] > 5);
  }
}

TEST_CASE("more GPUs are offered up to the last that are allowed, or 512") {
  World world;
  world.update = world.exchange = world.buckets = 0;
  for (const std::optional<std::int64_t> allowed : {std::optional<std::int64_t>(), std::optional<std::int64_t>(5)}) {
    PlanRequest request;
    request.job = support::small_job();
    request.job.batch = 3;
    request.max_gpus = allowed;
    const std::int64_t most = allowed.value_or(512);
    request.job.data.images = 3 * most * (most + 1);  // one more would do, were it allowed
    support::settle(request, request.job);
    request.candidates = {support::made_up_gpu("a", 5000, 1)};
    request.candidates.front().per_node = 1;
    const double alone = static_cast<double>(most * (most + 1)) * world.step_seconds(request.job);
    const auto offered = [&](double deadline) {
      request.deadline = base::Seconds(deadline);
      const auto answer = plan(request, support::engine_of(world));
      const auto more = std::ranges::find(answer->remedies, "more-gpus", &Remedy::code);
      CHECK((more == answer->remedies.end() || more->job.parallel.gpus == most));
      return more != answer->remedies.end();
    };
    CHECK(offered(alone / static_cast<double>(most) * 1.000001));
    CHECK_FALSE(offered(alone / static_cast<double>(most) * 0.999999));
  }
}

TEST_CASE("with a global batch the GPUs that are offered share it evenly") {
  World world;
  world.update = world.exchange = world.buckets = 0;
  PlanRequest request;
  request.job = support::small_job();
  request.job.data.images = 12 * 100;
  support::settle(request, request.job);
  request.accumulation.reset();
  request.global_batch = 12;
  request.candidates = {support::made_up_gpu("a", 5000, 1)};
  request.candidates.front().per_node = 1;
  const double alone = 12 * 100 * world.step_seconds(request.job);
  for (const auto& [times, gpus] : {std::pair{1.5, 2}, std::pair{3.5, 4}, std::pair{4.5, 6}, std::pair{6.5, 12}}) {
    request.deadline = base::Seconds(alone / times);
    const auto answer = plan(request, support::engine_of(world));
    REQUIRE(answer.has_value());
    const auto more = std::ranges::find(answer->remedies, "more-gpus", &Remedy::code);
    REQUIRE(more != answer->remedies.end());
    CHECK(more->job.parallel.gpus == gpus);
  }
}

/// A run of which one GPU of two machines' kind takes so many seconds, under a deadline of a share of it.
struct Late {
  World world{};
  PlanRequest request{};

  Late(std::int64_t gpus, std::int64_t per_node, double share) {
    world.update = world.exchange = world.buckets = world.launch = 0;
    request.job = support::small_job();
    request.job.parallel.gpus = gpus;
    request.job.data.images = 2400;
    support::settle(request, request.job);
    request.candidates = {support::made_up_gpu("a", 5000, gpus)};
    request.candidates.front().exactly = true;
    request.candidates.front().per_node = per_node;
    request.deadline = base::Seconds(2400 * world.image_seconds * share * 1.000001);
  }
  [[nodiscard]] std::optional<Remedy> more() const {
    const auto answer = plan(request, support::engine_of(world));
    REQUIRE(answer.has_value());
    const auto found = std::ranges::find(answer->remedies, "more-gpus", &Remedy::code);
    return found == answer->remedies.end() ? std::nullopt : std::optional(*found);
  }
};

TEST_CASE("GPUs beyond a machine come as whole machines, and say by how much they are faster") {
  const auto whole = Late(2, 2, 1.0 / 3).more();
  REQUIRE(whole);
  CHECK(whole->job.parallel.gpus == 4);
  CHECK(whole->job.parallel.nodes == 2);
  CHECK(*whole->slowdown == Approx(0.5));
  CHECK(whole->changes_training);
  CHECK(Late(1, 4, 1.0 / 3).more()->job.parallel.gpus == 3);
  Late fixed(2, 2, 1.0 / 3);
  fixed.request.nodes = 1;  // which has no more of them
  CHECK_FALSE(fixed.more());
  Late inference(2, 2, 1.0 / 3);
  inference.request.job.mode = job::Mode::infer;
  CHECK_FALSE(inference.more()->changes_training);
  Late all(2, 2, 1.0 / 4);  // an image for each
  all.request.job.data.images = 4;
  all.request.deadline = base::Seconds(all.world.image_seconds * 1.000001);
  REQUIRE(all.more());
  CHECK(all.more()->job.parallel.gpus == 4);
}

TEST_CASE("a price that is named keeps the budget, and one that is higher by its last digit does not") {
  const World world;
  PlanRequest request;
  request.job = support::small_job();
  request.job.data.images = 1000;
  support::settle(request, request.job);
  request.candidates = {support::made_up_gpu("a", 5000, 1)};
  const double hours = 1000 * world.step_seconds(request.job) / 3600;
  for (double most = 0.00052; most < 300; most *= 1.083) {
    request.max_cost = base::Usd(most * hours);
    const auto answer = plan(request, support::engine_of(world));
    REQUIRE(answer->remedies.size() == 1);
    const Remedy& remedy = answer->remedies.front();
    INFO(most << ": " << remedy.change);
    const std::string named = between(remedy.change, "up to $", " an hour");
    REQUIRE(named.empty() == (most < 0.001));
    CHECK((!named.empty() || remedy.change.ends_with(", and allow more than " + base::format_usd(*request.max_cost))));
    if (named.empty()) {
      continue;
    }
    const double price = std::stod(named);
    const double digit = std::pow(0.1, static_cast<double>(named.size() - named.find('.') - 1));
    CHECK(digit == Approx(std::min(0.01, std::pow(10.0, std::floor(std::log10(most) + 1e-12) - 1))));
    CHECK((price <= 0 || plan(request, support::engine_of(world, {{"a", price}}))->recommendation));
    CHECK_FALSE(plan(request, support::engine_of(world, {{"a", price + digit}}))->recommendation);
  }
}

}  // namespace
}  // namespace vggplan::planner
