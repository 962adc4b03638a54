// SPDX-License-Identifier: MIT
#include "reached.hpp"

#include <algorithm>

#include "fit.hpp"
#include "limits.hpp"
#include "vggplan/base/parallel.hpp"

namespace vggplan::planner {
namespace {

/// Batches between two rungs may be faster than both by a little.
constexpr double kBetweenRungs = 1.02;

double money(const Evaluated& figures) {
  return figures.usd_per_million_images ? figures.usd_per_million_images->count()
                                        : figures.gpu_hours_per_million_images;
}

/// By more than the band, within which what is simpler wins.
bool is_better(const Evaluated& a, const Evaluated& b, double band) {
  return a.usd_per_million_images.has_value() == b.usd_per_million_images.has_value() &&
         a.job.parallel.gpus <= b.job.parallel.gpus && money(a) * band <= money(b) &&
         a.useful_images_per_second >= b.useful_images_per_second * band;
}

/// Sharding over all GPUs leaves most memory, and the optimizer's time is left out: a bound for every count.
job::Job most_spread(const PlanRequest& request, Group group, std::int64_t gpus) {
  const bool shared = request.job.mode == job::Mode::train && gpus > 1;
  group.gpus = shared ? gpus : 1;
  group.nodes = 1;
  group.settings.sharding = shared ? job::Sharding::fsdp2 : job::Sharding::ddp;
  return job_of(request, group, {1, request.global_batch ? 1 : request.accumulation.value_or(1)});
}

std::vector<std::int64_t> batches_of(const PlanRequest& request, job::Job job, const estimate::Target& target,
                                     const estimate::Engine& engine) {
  if (request.batch) {
    return {*request.batch};
  }
  const Fit fit(request, engine);
  const std::int64_t most = std::min(kLargestBatch, request.global_batch.value_or(kLargestBatch));
  return batch_ladder(last_true(most, [&](std::int64_t batch) {
    job.batch = batch;
    return fit.floor_excess(job, target) <= base::Bytes(0);
  }));
}

/// Images per second of one GPU with the group's settings, at the best of its batches.
double bound_of(const PlanRequest& request, const Group& group, const estimate::Engine& engine) {
  const Candidate& candidate = request.candidates[group.candidate];
  job::Job job = most_spread(request, group, candidate.gpus);
  double most = 0;
  for (const std::int64_t batch : batches_of(request, job, candidate.target, engine)) {
    job.batch = batch;
    const auto floor = engine.time_floor(job, candidate.target);
    const auto images = static_cast<double>(job.batch * job.accumulation);
    most = std::max(most, floor && floor->count() > 0 ? images / floor->count() : 0);
  }
  return kBetweenRungs * most;
}

}  // namespace

std::vector<double> bounds_per_gpu(const PlanRequest& request, const std::vector<Group>& groups,
                                   const estimate::Engine& engine) {
  std::vector<double> bounds(groups.size());
  base::parallel_for(request.candidates.size(), request.threads, [&](std::size_t candidate) {
    const auto first = std::ranges::find(groups, candidate, &Group::candidate);
    for (auto group = first; group != groups.end() && group->candidate == candidate; ++group) {
      const auto same = std::find_if(
          first, group, [&](const Group& other) { return other.settings.same_arithmetic(group->settings); });
      bounds[static_cast<std::size_t>(group - groups.begin())] =
          same == group ? bound_of(request, *group, engine) : bounds[static_cast<std::size_t>(same - groups.begin())];
    }
  });
  return bounds;
}

void Reached::add(const Explored& explored) {
  std::optional<Score> best;
  for (const Evaluated& figures : explored.evaluated) {
    const Score now = score(request_, figures);
    best = best ? std::min(*best, now) : now;
    if (std::ranges::none_of(front_, [&](const Evaluated& other) { return is_better(other, figures, 1); })) {
      std::erase_if(front_, [&](const Evaluated& other) { return is_better(figures, other, 1); });
      front_.push_back(figures);
    }
  }
  if (best) {
    scores_.insert(std::ranges::upper_bound(scores_, *best), *best);
    scores_.resize(std::min(scores_.size(), request_.top + 1));
  }
}

bool Reached::covers(const Evaluated& best) const {
  return scores_.size() > request_.top && scores_.back() < score(request_, best) &&
         std::ranges::any_of(front_, [&](const Evaluated& other) { return is_better(other, best, kBand); });
}

}  // namespace vggplan::planner
