// SPDX-License-Identifier: MIT
#include "planner/judge.hpp"

#include <algorithm>
#include <random>

#include "support/catch.hpp"
#include "support/every_candidate.hpp"

namespace vggplan::planner {
namespace {

using support::as_good;
using support::Everything;
using support::simplicity;
using support::Tried;

/// Candidates of a made-up request, as a plain search notes them and as the judge sees them.
struct Field {
  std::vector<Tried> tried{};
  std::vector<Contender> contenders{};

  /// Figures a few thousandths apart, so that 1 % decides; settings that are often the same.
  explicit Field(std::mt19937& random) {
    const auto rarely = [&](int n) { return random() % 4 == 0 ? static_cast<int>(random() % 4) % n : 0; };
    const bool norm = random() % 2 == 0;
    const auto spread = 1 + static_cast<double>(random() % 8);
    for (int left = 1 + static_cast<int>(random() % 16); left > 0; --left) {
      Tried e{.job = support::small_job(), .gpu = static_cast<std::size_t>(rarely(2))};
      e.job.model.batch_norm = norm;
      e.job.parallel.gpus = 1 + rarely(3);
      e.job.parallel.sharding = static_cast<job::Sharding>(rarely(3));
      e.job.checkpointing.kind = static_cast<job::Checkpointing::Kind>(rarely(3));
      e.job.checkpointing.segments =
          e.job.checkpointing.kind == job::Checkpointing::Kind::sequential ? 2 + rarely(2) : 0;
      e.job.precision = static_cast<job::Precision>(rarely(4));
      e.job.batch = 1 + rarely(4);
      e.job.accumulation = 1 + rarely(2);
      e.job.layout = rarely(2) == 0 ? base::Layout::nchw : base::Layout::nhwc;
      e.seconds_per_image = 0.01 * (1 + 0.004 * spread * rarely(4));
      e.priced = random() % 3 != 0;
      e.cost = 0.0004 * (1 + 0.004 * spread * rarely(4));
      if (std::ranges::none_of(tried, [&](const Tried& other) { return other.job == e.job && other.gpu == e.gpu; })) {
        add(e);
      }
    }
  }

  [[nodiscard]] const Tried* of(std::optional<std::size_t> index) const { return index ? &tried.at(*index) : nullptr; }

 private:
  void add(const Tried& e) {
    Contender c;
    c.candidate = e.gpu;
    c.figures.job = e.job;
    c.figures.useful_images_per_second = 1 / e.seconds_per_image;
    c.figures.gpu_hours_per_million_images = 1e6 * (e.priced ? 1 : e.cost);
    if (e.priced) {
      c.figures.usd_per_million_images = base::Usd(1e6 * e.cost);
    }
    tried.push_back(e);
    c.group = static_cast<std::size_t>(
        std::ranges::find_if(tried, [&](const Tried& other) { return other.same_group(e); }) - tried.begin());
    contenders.push_back(c);
  }
};

TEST_CASE("winner and runners-up are those of a plain search") {
  CHECK_FALSE(winner(PlanRequest{}, {}));
  CHECK(std::ranges::is_sorted(std::array{job::Precision::fp32, job::Precision::tf32, job::Precision::amp_bf16,
                                          job::Precision::amp_fp16, job::Precision::bf16, job::Precision::fp16}));
  std::mt19937 random(3);
  for (int round = 0; round < 3000; ++round) {
    const Field field(random);
    PlanRequest request;
    request.objective = static_cast<Objective>(round % 3);
    const Everything all(request, {});
    const auto chosen = winner(request, field.contenders);
    INFO("round " << round);
    REQUIRE(chosen);
    const auto same = [](const Tried& a, const Tried& b) { return a.job == b.job && a.gpu == b.gpu; };
    CHECK(same(field.tried[*chosen], *all.best_of(field.tried)));

    std::vector<Tried> left = field.tried;
    const auto leave_out = [&](const Tried& e) {
      std::erase_if(left, [&](const Tried& o) { return o.same_group(e); });
    };
    leave_out(field.tried[*chosen]);
    const auto key = [&](const Tried& e) { return std::pair(all.aim(e), simplicity(e)); };
    std::optional<Tried> last;
    for (const std::size_t i : runners_up(request, field.contenders, *chosen)) {
      const Tried& e = field.tried[i];
      std::vector<Tried> group;
      std::ranges::copy_if(left, std::back_inserter(group), [&](const Tried& other) { return other.same_group(e); });
      REQUIRE_FALSE(group.empty());
      CHECK(same(e, *all.best_of(group)));
      CHECK((!last || key(*last) < key(e)));
      last = e;
      leave_out(e);
    }
    CHECK(left.empty());
  }
}

TEST_CASE("the front holds the chosen one, and of each point that no other beats the simplest, fastest first") {
  std::mt19937 random(5);
  for (int round = 0; round < 1000; ++round) {
    const Field field(random);
    const auto chosen = round % 2 == 0 ? std::nullopt : std::optional<std::size_t>(random() % field.contenders.size());
    std::vector<Tried> those = field.tried;
    if (chosen) {
      const Tried& best = field.tried[*chosen];
      std::erase_if(those,
                    [&](const Tried& e) { return as_good(e, best, 1) && !(e.job == best.job && e.gpu == best.gpu); });
    }
    std::vector<Tried> expected;
    for (const Tried& e : those) {
      const bool kept = std::ranges::none_of(those, [&](const Tried& other) {
        return as_good(other, e, 1) && (!as_good(e, other, 1) || simplicity(other) < simplicity(e));
      });
      if (kept) {
        expected.push_back(e);
      }
    }
    const auto jobs = [](std::vector<Tried> entries) {
      std::vector<std::pair<job::Job, std::size_t>> all;
      std::ranges::sort(entries, {}, [](const Tried& e) {
        return std::tuple(e.seconds_per_image, e.job.parallel.gpus, e.priced, e.cost);
      });
      std::ranges::transform(entries, std::back_inserter(all), [](const Tried& e) { return std::pair(e.job, e.gpu); });
      return all;
    };
    std::vector<Tried> front;
    for (const std::size_t i : pareto_front(field.contenders, chosen)) {
      front.push_back(field.tried[i]);
    }
    INFO("round " << round);
    CHECK(std::ranges::is_sorted(front, {}, &Tried::seconds_per_image));
    CHECK(jobs(front) == jobs(expected));
  }
}

TEST_CASE("limits are missed by what is beyond them: a limit of money also by what has no price") {
  for (const double seconds : {59.0, 60.0, 90.0}) {
    for (const double usd : {0.0, 9.0, 10.0, 11.0}) {
      Evaluated figures;
      figures.total = base::Seconds(seconds);
      figures.cost = usd > 0 ? std::optional(base::Usd(usd)) : std::nullopt;
      for (const bool time : {false, true}) {
        for (const bool money : {false, true}) {
          PlanRequest request;
          request.deadline = time ? std::optional(base::Seconds(60)) : std::nullopt;
          request.max_cost = money ? std::optional(base::Usd(10)) : std::nullopt;
          std::vector<std::pair<std::string, Miss>> expected;
          if (time && seconds == 90) {
            expected.emplace_back("deadline", base::Seconds(30));
          }
          if (money && usd == 11) {
            expected.emplace_back("max-cost", base::Usd(1));
          } else if (money && usd == 0) {
            expected.emplace_back("price", Miss());
          }
          std::vector<std::pair<std::string, Miss>> found;
          for (const Missed& missed : constraints_missed(request, figures)) {
            found.emplace_back(missed.refusal.reason, missed.by);
          }
          CHECK(found == expected);
        }
      }
    }
  }
}

TEST_CASE("a job is timed where the models have a rate for it") {
  const auto target = support::made_up_gpu("a", 1000, 1).target;
  estimate::Engine engine;
  for (const double rate : {0.0, 0.5, 20.0}) {
    engine.time = [&](const job::Job&, const estimate::Target&) -> base::Result<estimate::TimeAnswer> {
      estimate::TimeAnswer answer;
      answer.images_per_second = rate;
      return answer;
    };
    const auto time = timed(support::small_job(), target, engine);
    REQUIRE(time.has_value() == (rate > 0));
    CHECK((!time || time->images_per_second == rate));
  }
  engine.time = [](const job::Job&, const estimate::Target&) -> base::Result<estimate::TimeAnswer> {
    return base::wrong("--batch", "is not known");
  };
  CHECK_FALSE(timed(support::small_job(), target, engine));
}

}  // namespace
}  // namespace vggplan::planner
