// SPDX-License-Identifier: MIT
#include "reached.hpp"

#include <algorithm>

#include "fit.hpp"
#include "limits.hpp"

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

}  // namespace

Peaks::Peaks(const PlanRequest& request, const std::vector<Group>& groups, std::size_t candidate,
             const estimate::Engine& engine) {
  const estimate::Target& target = request.candidates[candidate].target;
  for (const Group& group : groups) {
    const bool known =
        std::ranges::any_of(peaks_, [&](const Peak& peak) { return peak.settings.same_arithmetic(group.settings); });
    if (group.candidate != candidate || known) {
      continue;
    }
    job::Job job = most_spread(request, group, request.candidates[candidate].gpus);
    double most = 0;
    for (const std::int64_t batch : batches_of(request, job, target, engine)) {
      job.batch = batch;
      const auto floor = engine.time_floor(job, target);
      const auto images = static_cast<double>(job.batch * job.accumulation);
      most = std::max(most, floor && floor->count() > 0 ? images / floor->count() : 0);
    }
    peaks_.push_back({group.settings, most});
  }
}

double Peaks::bound(const Group& group) const {
  const auto own =
      std::ranges::find_if(peaks_, [&](const Peak& peak) { return peak.settings.same_arithmetic(group.settings); });
  return kBetweenRungs * own->per_gpu * static_cast<double>(group.gpus);
}

double Peaks::best() const { return std::ranges::max(peaks_, {}, &Peak::per_gpu).per_gpu; }

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
