// SPDX-License-Identifier: MIT
#include "judge.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <tuple>

#include "vggplan/base/format.hpp"
#include "vggplan/estimate/data.hpp"

namespace vggplan::planner {
namespace {

using What = Missed::What;

/// Simpler first; different for any two candidates of one request. Enums are ordered from PyTorch's defaults to what
/// changes most.
auto preference(const Contender& c) {
  const job::Job& job = c.figures.job;
  const std::int64_t batch = job::normalizes_by_batch(job) ? -job.batch : job.batch;
  return std::tuple(job.parallel.gpus, job.parallel.sharding, job.checkpointing.kind, job.checkpointing.segments,
                    job.precision, batch, job.accumulation, job.layout, c.candidate, c.group);
}

std::vector<std::size_t> all(std::span<const Contender> contenders) {
  std::vector<std::size_t> indices(contenders.size());
  std::iota(indices.begin(), indices.end(), std::size_t{0});
  return indices;
}

/// Leaves those whose figure is at most `band` times the least; those that have none stay.
template <class Figure>
void keep_least(std::vector<std::size_t>& indices, double band, Figure figure) {
  std::optional<double> least;
  for (const std::size_t i : indices) {
    if (const std::optional<double> f = figure(i)) {
      least = std::min(least.value_or(*f), *f);
    }
  }
  std::erase_if(indices, [&](std::size_t i) {
    const std::optional<double> f = figure(i);
    return f && *f > *least * band;
  });
}

std::size_t winner_among(const PlanRequest& request, std::span<const Contender> contenders,
                         std::vector<std::size_t> indices) {
  const auto figures = [&](std::size_t i) -> const Evaluated& { return contenders[i].figures; };
  keep_least(indices, 1, [&](std::size_t i) { return std::optional<double>(score(request, figures(i)).rank); });
  keep_least(indices, kBand, [&](std::size_t i) { return std::optional(score(request, figures(i)).figure); });
  if (request.objective == Objective::cheapest) {
    keep_least(indices, kBand, [&](std::size_t i) { return std::optional(1 / figures(i).useful_images_per_second); });
  }
  keep_least(indices, 1, [&](std::size_t i) { return std::optional<double>(figures(i).job.parallel.gpus); });
  keep_least(indices, kBand, [&](std::size_t i) {
    const auto usd = figures(i).usd_per_million_images;
    return usd ? std::optional(usd->count()) : std::nullopt;
  });
  return *std::ranges::min_element(indices, {}, [&](std::size_t i) { return preference(contenders[i]); });
}

/// What the front is about.
struct Point {
  double seconds{};
  std::int64_t gpus{};
  bool priced{};
  double money{};  ///< dollars, or GPU-hours
  auto operator<=>(const Point&) const = default;
};

Point point_of(const Contender& contender) {
  const Evaluated& f = contender.figures;
  return {1 / f.useful_images_per_second, f.job.parallel.gpus, f.usd_per_million_images.has_value(), money(f)};
}

/// Or is the same.
bool beats(const Point& a, const Point& b) {
  return a.priced == b.priced && a.seconds <= b.seconds && a.gpus <= b.gpus && a.money <= b.money;
}

}  // namespace

double useful_share(const job::Job& job) {
  const auto computed = estimate::images_of_epoch(job);
  return computed ? static_cast<double>(*job.data.images) / *computed : 1;
}

std::optional<estimate::TimeAnswer> timed(const job::Job& job, const estimate::Target& target,
                                          const estimate::Engine& engine) {
  const auto time = engine.time(job, target);
  return time && time->images_per_second > 0 ? std::optional(*time) : std::nullopt;
}

Evaluated at_rate(const job::Job& job, const std::string& gpu, double images_per_second,
                  std::optional<base::Usd> usd_per_hour) {
  Evaluated row;
  row.job = job;
  row.gpu = gpu;
  row.images_per_second = images_per_second;
  row.useful_images_per_second = images_per_second * useful_share(job);
  row.usd_per_hour = usd_per_hour;
  const double hours_per_million = 1e6 / row.useful_images_per_second / 3600;
  row.gpu_hours_per_million_images = hours_per_million * static_cast<double>(job.parallel.gpus);
  if (usd_per_hour) {
    row.usd_per_million_images = base::Usd(usd_per_hour->count() * hours_per_million);
  }
  if (const auto images = estimate::images_of_epoch(job)) {
    row.total = base::Seconds(*images / images_per_second * static_cast<double>(estimate::epochs_of(job)));
    if (usd_per_hour) {
      row.cost = base::Usd(usd_per_hour->count() * row.total->count() / 3600);
    }
  }
  return row;
}

Evaluated evaluate(const job::Job& job, const estimate::Target& target, const estimate::MemoryAnswer& memory,
                   const estimate::TimeAnswer& time) {
  Evaluated row = at_rate(job, target.gpu.name, time.images_per_second, time.usd_per_hour);
  row.run_peak = memory.run_peak;
  row.reserved_peak = memory.reserved_peak;
  row.step = time.step;
  return row;
}

std::optional<Evaluated> evaluate(const job::Job& job, const estimate::Target& target,
                                  const estimate::MemoryAnswer& memory, const estimate::Engine& engine) {
  const auto time = timed(job, target, engine);
  return time ? std::optional(evaluate(job, target, memory, *time)) : std::nullopt;
}

double money(const Evaluated& figures) {
  return figures.usd_per_million_images ? figures.usd_per_million_images->count()
                                        : figures.gpu_hours_per_million_images;
}

Score score(const PlanRequest& request, const Evaluated& figures) {
  Score s;
  s.figure = 1 / figures.useful_images_per_second;
  switch (request.objective) {
    case Objective::fastest: break;
    case Objective::fewest_gpus: s.rank = static_cast<int>(figures.job.parallel.gpus); break;
    case Objective::cheapest:
      s.rank = figures.usd_per_million_images ? 0 : 1;
      s.figure = money(figures);
      break;
  }
  return s;
}

std::vector<Missed> constraints_missed(const PlanRequest& request, const Evaluated& figures) {
  std::vector<Missed> missed;
  if (request.deadline && *figures.total > *request.deadline) {
    missed.push_back({What::deadline,
                      {"deadline", fmt::format("takes longer than {}", base::format_seconds(*request.deadline))},
                      *figures.total - *request.deadline});
  }
  if (request.max_cost && figures.cost && *figures.cost > *request.max_cost) {
    missed.push_back({What::max_cost,
                      {"max-cost", fmt::format("costs more than {}", base::format_usd(*request.max_cost))},
                      *figures.cost - *request.max_cost});
  }
  if (request.max_cost && !figures.cost) {
    missed.push_back({What::price, {"price", "no price is known"}, {}});
  }
  return missed;
}

std::optional<std::size_t> winner(const PlanRequest& request, std::span<const Contender> contenders) {
  if (contenders.empty()) {
    return std::nullopt;
  }
  return winner_among(request, contenders, all(contenders));
}

std::vector<std::size_t> runners_up(const PlanRequest& request, std::span<const Contender> contenders,
                                    std::size_t winner) {
  std::map<std::size_t, std::vector<std::size_t>> by_group;
  for (std::size_t i = 0; i < contenders.size(); ++i) {
    if (contenders[i].group != contenders[winner].group) {
      by_group[contenders[i].group].push_back(i);
    }
  }
  std::vector<std::size_t> best;
  for (const auto& [group, members] : by_group) {
    best.push_back(winner_among(request, contenders, members));
  }
  std::ranges::sort(best, {}, [&](std::size_t i) {
    const Score s = score(request, contenders[i].figures);
    return std::tuple(s.rank, s.figure, preference(contenders[i]));
  });
  return best;
}

std::vector<std::size_t> pareto_front(std::span<const Contender> contenders, std::optional<std::size_t> chosen) {
  std::vector<Point> points;
  for (const Contender& contender : contenders) {
    points.push_back(point_of(contender));
  }
  std::vector<std::size_t> indices = all(contenders);
  std::erase_if(indices, [&](std::size_t i) { return chosen && i != *chosen && beats(points[i], points[*chosen]); });
  std::ranges::sort(indices, {}, [&](std::size_t i) { return std::tuple(points[i], preference(contenders[i])); });
  std::vector<std::size_t> front;
  for (const std::size_t i : indices) {
    if (std::ranges::none_of(front, [&](std::size_t j) { return beats(points[j], points[i]); })) {
      front.push_back(i);
    }
  }
  return front;
}

}  // namespace vggplan::planner
