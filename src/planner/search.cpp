// SPDX-License-Identifier: MIT
#include "search.hpp"

#include <algorithm>
#include <span>

#include "fit.hpp"
#include "limits.hpp"
#include "vggplan/base/parallel.hpp"

namespace vggplan::planner {
namespace {

const Refusal kBehind{"behind", "other GPUs or settings do it in less time, for less and with no more GPUs"};
const Refusal kSharding{"sharding", "cannot be faster than what fits without it"};

bool shards(const Group& group) { return group.settings.sharding != job::Sharding::ddp; }

/// What a candidate has to beat to count beside others of its GPUs that are simpler. Within `kBand` these are
/// preferred; but a limit of time or money may lie in between.
double bar_beside(const Explored& others, const PlanRequest& request) {
  const double most = others.evaluated.empty() ? 0 : others.fastest().useful_images_per_second;
  return most * (request.deadline || request.max_cost ? 1 : kBand);
}

/// By more than the band, within which what is simpler wins.
bool is_better(const Evaluated& a, const Evaluated& b, double band) {
  return a.usd_per_million_images.has_value() == b.usd_per_million_images.has_value() &&
         a.job.parallel.gpus <= b.job.parallel.gpus && money(a) * band <= money(b) &&
         a.useful_images_per_second >= b.useful_images_per_second * band;
}

/// Sharding over all GPUs leaves most memory, and the optimizer's time is left out: a bound for every count.
job::Job most_spread(const PlanRequest& request, Group group, std::int64_t gpus) {
  const bool shared = request.job.mode == job::Mode::train;
  group.gpus = shared ? gpus : 1;
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
  constexpr double kBetweenRungs = 1.02;  // batches between two rungs may be faster than both by a little
  const Candidate& candidate = request.candidates[group.candidate];
  job::Job job = most_spread(request, group, candidate.gpus);
  double most = 0;
  for (const std::int64_t batch : batches_of(request, job, candidate.target, engine)) {
    job.batch = batch;
    const auto floor = engine.time_floor(job, candidate.target);
    const auto images = static_cast<double>(job.batch * job.accumulation);
    most = std::max(most, floor ? images / floor->count() : 0);
  }
  return kBetweenRungs * most;
}

/// Of each group, images per second and GPU that none of its batches exceeds: by the floors of time and memory of its
/// settings, sharding apart, without a simulation.
std::vector<double> bounds_per_gpu(const PlanRequest& request, const std::vector<Group>& groups,
                                   const estimate::Engine& engine) {
  std::vector<double> bounds(groups.size());
  base::parallel_for(request.candidates.size(), request.threads, [&](std::size_t candidate) {
    const auto bound = [&](const Group& group) -> double& {
      return bounds[static_cast<std::size_t>(&group - groups.data())];
    };
    const std::span mine(std::ranges::lower_bound(groups, candidate, {}, &Group::candidate),
                         std::ranges::upper_bound(groups, candidate, {}, &Group::candidate));
    for (const Group& group : mine) {
      const Group& same = *std::ranges::find_if(
          mine, [&](const Group& other) { return other.settings.same_arithmetic(group.settings); });
      bound(group) = &same == &group ? bound_of(request, group, engine) : bound(same);
    }
  });
  return bounds;
}

/// What has been evaluated so far. Others that stay behind it in time, money and GPUs cannot be recommended, are not
/// on the front, and are no alternatives once there are enough.
class Reached {
 public:
  explicit Reached(const PlanRequest& request) : request_(request) {}

  void add(const Explored& explored) {
    std::optional<Score> best;
    for (const Evaluated& figures : explored.evaluated) {
      const Score now = score(request_, figures);
      best = best ? std::min(*best, now) : now;
      if (std::ranges::none_of(front_, [&](const Evaluated& other) { return is_better(other, figures, 1); })) {
        front_.push_back(figures);
      }
    }
    if (best) {
      scores_.insert(std::ranges::upper_bound(scores_, *best), *best);
      scores_.resize(std::min(scores_.size(), request_.top + 1));
    }
  }

  /// `best`: the figures of a group at its bound.
  [[nodiscard]] bool covers(const Evaluated& best) const {
    return scores_.size() > request_.top && scores_.back() < score(request_, best) &&
           std::ranges::any_of(front_, [&](const Evaluated& other) { return is_better(other, best, kBand); });
  }

 private:
  const PlanRequest& request_;
  std::vector<Evaluated> front_{};
  std::vector<Score> scores_{};  ///< the best of each group, ascending, no more than matter
};

/// Groups in waves: GPU models that can do most come first, so that what follows has something to beat.
class Exploration {
 public:
  Exploration(const PlanRequest& request, const estimate::Engine& engine, Certainty certainty, bool within_limits)
      : request_(request),
        engine_(engine),
        certainty_(certainty),
        within_limits_(within_limits),
        reached_(request),
        groups_(enumerate_groups(request)),
        results_(groups_.size()),
        bounds_(bounds_per_gpu(request, groups_, engine)) {}

  std::vector<Explored> explore_all() {
    constexpr std::size_t kWave = 16;
    std::vector<Pool> all = pools();
    base::parallel_for(all.size(), request_.threads, [&](std::size_t i) {
      const Group& group = groups_[all[i].begin];
      const auto time = engine_.time(job_of(request_, group, {}), request_.candidates[group.candidate].target);
      all[i].usd_per_hour = time ? time->usd_per_hour : std::nullopt;
    });
    for (std::size_t begin = 0; begin < all.size(); begin += kWave) {
      const std::span<Pool> wave(all.data() + begin, std::min(kWave, all.size() - begin));
      explore_wave(wave);
      for (const Pool& pool : wave) {
        for (std::size_t i = pool.begin; i < pool.end; ++i) {
          Explored counted = results_[i];
          std::erase_if(counted.evaluated, [&](const Evaluated& figures) {
            return within_limits_ && !constraints_missed(request_, figures).empty();
          });
          reached_.add(counted);
        }
      }
    }
    return std::move(results_);
  }

 private:
  /// Groups of one candidate and count: from `begin` to `end`.
  struct Pool {
    std::size_t begin{};
    std::size_t end{};
    double bar{0};  ///< what sharding has to beat, once the others are explored
    std::optional<base::Usd> usd_per_hour{};
  };

  [[nodiscard]] std::vector<Pool> pools() const {
    std::vector<Pool> all;
    for (std::size_t i = 0; i < groups_.size(); ++i) {
      const auto holds = [&, &group = groups_[i]](const Pool& pool) {
        return groups_[pool.begin].candidate == group.candidate && groups_[pool.begin].gpus == group.gpus;
      };
      if (all.empty() || !holds(all.back())) {
        all.push_back({.begin = i});
      }
      all.back().end = i + 1;
    }
    std::ranges::stable_sort(all, std::ranges::greater{}, [&](const Pool& pool) {
      return std::ranges::max(std::span(bounds_).subspan(pool.begin, pool.end - pool.begin));
    });
    return all;
  }

  [[nodiscard]] std::optional<Refusal> refuse_by_bound(std::size_t index, const Pool& pool) const {
    const Group& group = groups_[index];
    const double bound = bounds_[index] * static_cast<double>(group.gpus);
    if (!(bound > 0)) {
      return std::nullopt;  // nothing fits: a walk tells by how much
    }
    if (bound <= pool.bar) {
      return kSharding;
    }
    const Evaluated best = at_rate(job_of(request_, group, {}), "", bound, pool.usd_per_hour);
    const auto missed = constraints_missed(request_, best);
    if (within_limits_ && !missed.empty()) {
      return missed.front().refusal;
    }
    return reached_.covers(best) ? std::optional(kBehind) : std::nullopt;
  }

  void look(std::size_t index, const Pool& pool) {
    const Group& group = groups_[index];
    auto refusal = refuse_by_bound(index, pool);
    refusal = refusal ? refusal : refuse(request_, group);
    if (refusal) {
      results_[index].group = group;
      results_[index].enumerated = 1;
      results_[index].rejected.add(*refusal, {}, [&] { return describe(request_, group); });
    } else {
      results_[index] = explore(request_, group, certainty_, pool.bar, engine_);
    }
  }

  /// Without sharding first: it tells what sharding has to beat.
  void explore_wave(std::span<Pool> wave) {
    for (const bool sharded : {false, true}) {
      std::vector<std::pair<std::size_t, const Pool*>> those;
      for (const Pool& pool : wave) {
        for (std::size_t i = pool.begin; i < pool.end; ++i) {
          if (shards(groups_[i]) == sharded) {
            those.emplace_back(i, &pool);
          }
        }
      }
      base::parallel_for(those.size(), request_.threads,
                         [&](std::size_t i) { look(those[i].first, *those[i].second); });
      for (Pool& pool : wave) {
        for (std::size_t i = pool.begin; i < pool.end; ++i) {
          pool.bar = std::max(pool.bar, bar_beside(results_[i], request_));
        }
      }
    }
  }

  const PlanRequest& request_;
  const estimate::Engine& engine_;
  Certainty certainty_;
  bool within_limits_;
  Reached reached_;
  std::vector<Group> groups_;
  std::vector<Explored> results_;
  std::vector<double> bounds_;  ///< of each group: images per second and GPU
};

/// The groups that may win, or come to keep a limit, by a batch between two rungs.
std::vector<std::size_t> worth_refining(const PlanRequest& request, const std::vector<Explored>& groups) {
  constexpr double kRise = 1.05;  // beyond the fastest rung, where the next one is slower
  std::optional<Score> leader;
  for (const Explored& explored : groups) {
    for (const Evaluated& figures : explored.evaluated) {
      if (constraints_missed(request, figures).empty()) {
        const Score now = score(request, figures);
        leader = leader ? std::min(*leader, now) : now;
      }
    }
  }
  std::vector<std::size_t> those;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (groups[i].evaluated.empty()) {
      continue;
    }
    const Evaluated& fastest = groups[i].fastest();
    const double gain = std::max(kRise, groups[i].potential / fastest.useful_images_per_second);
    const Evaluated best = at_rate(fastest.job, fastest.gpu, fastest.images_per_second * gain, fastest.usd_per_hour);
    if (constraints_missed(request, best).empty() && (!leader || score(request, best) < *leader)) {
      those.push_back(i);
    }
  }
  return those;
}

Search search_for(const PlanRequest& request, const estimate::Engine& engine, Certainty certainty, bool within_limits) {
  Search found;
  found.groups = Exploration(request, engine, certainty, within_limits).explore_all();
  if (!request.batch && !request.global_batch) {
    const auto those = worth_refining(request, found.groups);
    base::parallel_for(those.size(), request.threads,
                       [&](std::size_t i) { refine(request, found.groups[those[i]], certainty, engine); });
  }
  for (std::size_t i = 0; i < found.groups.size(); ++i) {
    Explored& explored = found.groups[i];
    found.enumerated += explored.enumerated;
    found.rejected.merge(explored.rejected);
    for (Evaluated& figures : explored.evaluated) {
      const auto missed = constraints_missed(request, figures);
      if (!missed.empty()) {
        found.rejected.add(missed.front().refusal, missed.front().by,
                           [&] { return describe(figures.job, figures.gpu); });
      }
      auto& those = missed.empty() ? found.contenders : found.missed;
      those.push_back({std::move(figures), i, explored.group.candidate});
    }
  }
  return found;
}

}  // namespace

Search search(const PlanRequest& request, const estimate::Engine& engine) {
  Search found;
  for (const Certainty certainty : {Certainty::certain, Certainty::possible}) {
    found = search_for(request, engine, certainty, true);
    if (!found.contenders.empty()) {
      return found;
    }
  }
  const bool limited = request.deadline || request.max_cost;
  return limited ? search_for(request, engine, Certainty::possible, false) : found;
}

const Explored* nearest_miss(const Search& search) {
  const Explored* nearest = nullptr;
  for (const Explored& explored : search.groups) {
    if (explored.nearest_miss && (nearest == nullptr || *explored.nearest_miss < *nearest->nearest_miss)) {
      nearest = &explored;
    }
  }
  return nearest;
}

}  // namespace vggplan::planner
