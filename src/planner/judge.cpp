// SPDX-License-Identifier: MIT
#include "judge.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <tuple>

#include "vggplan/base/format.hpp"

namespace vggplan::planner {
namespace {

/// How far a setting is from PyTorch's defaults in what it does to the numbers.
int change_of(job::Precision precision) {
  switch (precision) {
    case job::Precision::fp32: return 0;
    case job::Precision::tf32: return 1;
    case job::Precision::amp_bf16: return 2;
    case job::Precision::amp_fp16: return 3;
    case job::Precision::bf16: return 4;
  }
  return 5;
}

/// Simpler first; different for any two candidates of one request.
auto preference(const Contender& c) {
  const job::Job& job = c.figures.job;
  const std::int64_t batch = job.model.batch_norm ? -job.batch : job.batch;
  return std::tuple(job.parallel.gpus, job.parallel.sharding, job.checkpointing.kind, job.checkpointing.segments,
                    change_of(job.precision), batch, job.accumulation, job.layout, c.candidate, c.group);
}

std::vector<std::size_t> sorted(const PlanRequest& request, std::span<const Contender> contenders,
                                std::vector<std::size_t> indices) {
  const auto key = [&](std::size_t i) {
    const Score s = score(request, contenders[i].figures);
    return std::tuple(s.rank, s.figure, preference(contenders[i]));
  };
  std::ranges::sort(indices, {}, key);
  return indices;
}

std::vector<std::size_t> all(std::span<const Contender> contenders) {
  std::vector<std::size_t> indices(contenders.size());
  std::iota(indices.begin(), indices.end(), std::size_t{0});
  return indices;
}

std::size_t winner_among(const PlanRequest& request, std::span<const Contender> contenders,
                         const std::vector<std::size_t>& indices) {
  Score best = score(request, contenders[indices.front()].figures);
  for (const std::size_t i : indices) {
    const Score s = score(request, contenders[i].figures);
    if (std::tuple(s.rank, s.figure) < std::tuple(best.rank, best.figure)) {
      best = s;
    }
  }
  std::optional<std::size_t> chosen;
  for (const std::size_t i : indices) {
    const Score s = score(request, contenders[i].figures);
    const bool equal = s.rank == best.rank && s.figure <= best.figure * kBand;
    if (equal && (!chosen || preference(contenders[i]) < preference(contenders[*chosen]))) {
      chosen = i;
    }
  }
  return *chosen;
}

double money(const Evaluated& figures, bool priced) {
  return priced ? figures.usd_per_million_images->count() : figures.gpu_hours_per_million_images;
}

}  // namespace

Score score(const PlanRequest& request, const Evaluated& figures) {
  Score s;
  s.rank = figures.verdict == estimate::Verdict::fits ? 0 : 1 << 30;
  s.figure = 1 / figures.images_per_second;
  switch (request.objective) {
    case Objective::fastest: break;
    case Objective::fewest_gpus:
      s.rank += static_cast<int>(std::min<std::int64_t>(figures.job.parallel.gpus, 1 << 29));
      break;
    case Objective::cheapest:
      s.rank += figures.usd_per_million_images ? 0 : 1;
      s.figure = money(figures, figures.usd_per_million_images.has_value());
      break;
  }
  return s;
}

std::vector<Missed> constraints_missed(const PlanRequest& request, const Evaluated& figures) {
  using What = Missed::What;
  std::vector<Missed> missed;
  if (request.deadline && figures.total && *figures.total > *request.deadline) {
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
  return sorted(request, contenders, std::move(best));
}

std::vector<std::size_t> pareto_front(std::span<const Contender> contenders) {
  const bool priced =
      std::ranges::all_of(contenders, [](const Contender& c) { return c.figures.usd_per_million_images.has_value(); });
  const auto key = [&](std::size_t i) {
    const Evaluated& f = contenders[i].figures;
    return std::tuple(1 / f.images_per_second, money(f, priced), f.job.parallel.gpus);
  };
  std::vector<std::size_t> indices = all(contenders);
  std::ranges::sort(indices, {}, [&](std::size_t i) { return std::tuple(key(i), preference(contenders[i])); });
  std::vector<std::size_t> front;
  for (const std::size_t i : indices) {
    const auto [time, cost, gpus] = key(i);
    const bool beaten = std::ranges::any_of(front, [&, time = time, cost = cost, gpus = gpus](std::size_t j) {
      const auto [other_time, other_cost, other_gpus] = key(j);
      return other_time <= time && other_cost <= cost && other_gpus <= gpus;
    });
    if (!beaten) {
      front.push_back(i);
    }
  }
  std::ranges::stable_sort(front, {}, [&](std::size_t i) { return std::get<0>(key(i)); });
  return front;
}

}  // namespace vggplan::planner
