// SPDX-License-Identifier: MIT
#include "planner/judge.hpp"

#include <algorithm>
#include <random>

#include "support/catch.hpp"
#include "support/made_up.hpp"

namespace vggplan::planner {
namespace {

Contender contender(double images_per_second, std::int64_t gpus, std::int64_t batch, std::size_t group) {
  Contender c;
  c.figures.job = support::small_job();
  c.figures.job.batch = batch;
  c.figures.job.parallel.gpus = gpus;
  c.figures.images_per_second = images_per_second;
  c.figures.useful_images_per_second = images_per_second;
  c.figures.gpu_hours_per_million_images = 1e6 / images_per_second / 3600 * static_cast<double>(gpus);
  c.group = group;
  return c;
}

std::vector<Contender> random_contenders(std::mt19937& random, bool priced) {
  std::vector<Contender> all;
  const std::size_t count = 1 + random() % 30;
  for (std::size_t i = 0; i < count; ++i) {
    Contender c = contender(1 + static_cast<double>(random() % 40), 1 + static_cast<std::int64_t>(random() % 4),
                            1 + static_cast<std::int64_t>(random() % 8), i / 3);
    if (priced) {
      c.figures.usd_per_million_images = base::Usd(1 + static_cast<double>(random() % 50));
    }
    all.push_back(c);
  }
  return all;
}

TEST_CASE("within one percent of the fastest, fewer GPUs win, then the smaller batch") {
  const std::vector<Contender> all{contender(100, 4, 8, 0), contender(99.5, 4, 2, 0), contender(98, 1, 1, 1)};
  CHECK(winner(PlanRequest{}, all) == std::optional<std::size_t>(1));
  const std::vector<Contender> close{contender(100, 4, 8, 0), contender(99.5, 2, 9, 1)};
  CHECK(winner(PlanRequest{}, close) == std::optional<std::size_t>(1));
}

TEST_CASE("with batch norm the larger of equally fast batches wins") {
  std::vector<Contender> all{contender(100, 1, 2, 0), contender(99.9, 1, 8, 0)};
  for (Contender& c : all) {
    c.figures.job.model.batch_norm = true;
  }
  CHECK(winner(PlanRequest{}, all) == std::optional<std::size_t>(1));
}

TEST_CASE("the winner does not depend on the order in which candidates come") {
  std::mt19937 random(3);
  for (int round = 0; round < 300; ++round) {
    auto all = random_contenders(random, round % 2 == 0);
    PlanRequest request;
    request.objective = static_cast<Objective>(round % 3);
    const auto first = all[*winner(request, all)];
    std::ranges::shuffle(all, random);
    const auto second = all[*winner(request, all)];
    CHECK(first.figures.images_per_second == second.figures.images_per_second);
    CHECK(first.figures.job == second.figures.job);
    CHECK(first.group == second.group);
  }
}

TEST_CASE("of equal figures the simplest wins: by the setting that weighs most, whatever the others") {
  using job::Precision;
  // From the one that weighs most; of each the simplest first.
  using Setter = void (*)(Contender&, int);
  const std::vector<Setter> settings{
      [](Contender& c, int i) { c.figures.job.parallel.gpus = 1 + i; },
      [](Contender& c, int i) { c.figures.job.parallel.sharding = static_cast<job::Sharding>(i); },
      [](Contender& c, int i) { c.figures.job.checkpointing.kind = static_cast<job::Checkpointing::Kind>(i); },
      [](Contender& c, int i) { c.figures.job.checkpointing.segments = i; },
      [](Contender& c, int i) {
        c.figures.job.precision = std::array{Precision::fp32,     Precision::tf32, Precision::amp_bf16,
                                             Precision::amp_fp16, Precision::bf16, Precision::fp16}
                                      .at(static_cast<std::size_t>(i));
      },
      [](Contender& c, int i) { c.figures.job.batch = 1 + i; },
      [](Contender& c, int i) { c.figures.job.accumulation = 1 + i; },
      [](Contender& c, int i) { c.figures.job.layout = i == 0 ? base::Layout::nchw : base::Layout::nhwc; },
      [](Contender& c, int i) { c.candidate = static_cast<std::size_t>(i); },
  };
  std::mt19937 random(9);
  for (std::size_t decides = 0; decides < settings.size(); ++decides) {
    for (int round = 0; round < 20; ++round) {
      std::vector<Contender> pair{contender(100, 1, 1, 0), contender(100, 1, 1, 0)};
      for (std::size_t i = 0; i < settings.size(); ++i) {
        const int simple = static_cast<int>(random() % (i == 7 ? 1 : 2));
        const int first = i < decides ? simple : i == decides ? simple : static_cast<int>(random() % 2);
        const int second = i < decides ? simple : i == decides ? simple + 1 : static_cast<int>(random() % 2);
        settings[i](pair[0], first);
        settings[i](pair[1], second);
      }
      INFO("setting " << decides);
      CHECK(winner(PlanRequest{}, pair) == std::optional<std::size_t>(0));
      std::swap(pair[0], pair[1]);
      CHECK(winner(PlanRequest{}, pair) == std::optional<std::size_t>(1));
    }
  }
}

TEST_CASE("a limit that is just met is met") {
  PlanRequest request;
  Evaluated figures;
  request.deadline = base::Seconds(60);
  request.max_cost = base::Usd(10);
  figures.total = base::Seconds(60);
  figures.cost = base::Usd(10);
  CHECK(constraints_missed(request, figures).empty());
}

TEST_CASE("no contenders, no winner") { CHECK_FALSE(winner(PlanRequest{}, {})); }

TEST_CASE("the front holds exactly the points that no other beats, by comparing every pair") {
  std::mt19937 random(5);
  for (int round = 0; round < 300; ++round) {
    const bool priced = round % 2 == 0;
    const auto all = random_contenders(random, priced);
    const auto point = [&](std::size_t i) {
      const Evaluated& f = all[i].figures;
      return std::array{-f.images_per_second,
                        priced ? f.usd_per_million_images->count() : f.gpu_hours_per_million_images,
                        static_cast<double>(f.job.parallel.gpus)};
    };
    const auto front = pareto_front(all, std::nullopt);
    std::vector<std::array<double, 3>> points;
    for (const std::size_t i : front) {
      points.push_back(point(i));
    }
    CHECK(std::ranges::is_sorted(points, {}, [](const auto& p) { return p[0]; }));
    for (std::size_t i = 0; i < all.size(); ++i) {
      bool beaten = false;
      for (std::size_t j = 0; j < all.size(); ++j) {
        const auto a = point(i);
        const auto b = point(j);
        beaten = beaten || (b != a && b[0] <= a[0] && b[1] <= a[1] && b[2] <= a[2]);
      }
      CHECK(std::ranges::count(points, point(i)) == (beaten ? 0 : 1));
    }
  }
}

TEST_CASE("a contender without a price puts none aside whose cost is known, nor the other way round") {
  std::vector<Contender> all{contender(100, 1, 8, 0), contender(50, 2, 8, 1), contender(40, 4, 8, 2)};
  all[1].figures.usd_per_million_images = base::Usd(3);
  CHECK(pareto_front(all, std::nullopt) == std::vector<std::size_t>{0, 1});
}

TEST_CASE("the recommendation is on the front, and nothing there beats it") {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    auto all = random_contenders(random, round % 2 == 0);
    for (Contender& c : all) {  // many within one percent of each other
      c.figures.useful_images_per_second = 100 + static_cast<double>(random() % 200) / 100;
    }
    PlanRequest request;
    request.objective = static_cast<Objective>(round % 3);
    const std::size_t chosen = *winner(request, all);
    const auto front = pareto_front(all, chosen);
    CHECK(std::ranges::count(front, chosen) == 1);
    const Evaluated& best = all[chosen].figures;
    for (const std::size_t i : front) {
      const Evaluated& f = all[i].figures;
      const bool dearer = best.usd_per_million_images
                              ? *f.usd_per_million_images > *best.usd_per_million_images
                              : f.gpu_hours_per_million_images > best.gpu_hours_per_million_images;
      CHECK((i == chosen || dearer || f.useful_images_per_second < best.useful_images_per_second ||
             f.job.parallel.gpus > best.job.parallel.gpus));
    }
  }
}

TEST_CASE("for one percent of the money nobody goes to the edge of memory, but for the same money the faster wins") {
  PlanRequest request;
  request.objective = Objective::cheapest;
  std::vector<Contender> all{contender(99.5, 1, 1, 0), contender(100, 1, 8, 0)};
  all[0].figures.usd_per_million_images = base::Usd(10.05);
  all[1].figures.usd_per_million_images = base::Usd(10);
  CHECK(winner(request, all) == std::optional<std::size_t>(0));
  all[0].figures.usd_per_million_images = base::Usd(10.2);
  CHECK(winner(request, all) == std::optional<std::size_t>(1));
  all = {contender(100, 1, 8, 0), contender(200, 2, 8, 1)};
  all[0].figures.usd_per_million_images = base::Usd(10);
  all[1].figures.usd_per_million_images = base::Usd(10.05);
  CHECK(winner(request, all) == std::optional<std::size_t>(1));
}

TEST_CASE("runners-up are one for each other group, best first") {
  std::mt19937 random(11);
  for (int round = 0; round < 100; ++round) {
    const auto all = random_contenders(random, false);
    const std::size_t best = *winner(PlanRequest{}, all);
    const auto others = runners_up(PlanRequest{}, all, best);
    std::vector<std::size_t> groups;
    for (const std::size_t i : others) {
      CHECK(all[i].group != all[best].group);
      groups.push_back(all[i].group);
    }
    std::ranges::sort(groups);
    CHECK(std::ranges::adjacent_find(groups) == groups.end());
    CHECK(groups.size() + 1 == all.back().group + 1);
    CHECK(std::ranges::is_sorted(others, std::ranges::greater{},
                                 [&](std::size_t i) { return all[i].figures.images_per_second; }));
  }
}

TEST_CASE("money counts only where it is known: a limit on cost refuses what has no price") {
  PlanRequest request;
  request.max_cost = base::Usd(10);
  Evaluated figures;
  const auto missed = [&] { return constraints_missed(request, figures); };
  REQUIRE(missed().size() == 1);
  CHECK(missed()[0].refusal.reason == "price");
  figures.cost = base::Usd(9);
  CHECK(missed().empty());
  figures.cost = base::Usd(11);
  REQUIRE(missed().size() == 1);
  CHECK(missed()[0].refusal.reason == "max-cost");
  CHECK(std::get<base::Usd>(missed()[0].by) == base::Usd(1));
  request.deadline = base::Seconds(60);
  figures.total = base::Seconds(90);
  REQUIRE(missed().size() == 2);
  CHECK(std::get<base::Seconds>(missed()[0].by) == base::Seconds(30));
}

}  // namespace
}  // namespace vggplan::planner
