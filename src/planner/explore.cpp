// SPDX-License-Identifier: MIT
#include "explore.hpp"

#include <algorithm>
#include <cmath>

#include "fit.hpp"
#include "limits.hpp"
#include "vggplan/base/format.hpp"

namespace vggplan::planner {
namespace {

using base::Bytes;
using estimate::Verdict;

const Refusal kMemory{"memory", "the simulated step runs out of memory"};
const Refusal kFlushes{"cache-flushes", "runs only by flushing the allocator's cache in every step"};
const Refusal kReserve{"reserve", "fits, but leaves less free than --reserve asks for"};
const Refusal kUncertain{"uncertain", "the upper end of the range of its memory does not fit"};
const Refusal kSlower{"slower", "cannot come within 1 % of the best batch of the same settings"};
const Refusal kInvalid{"combination", "the settings do not go together"};

Refusal floor_refusal(job::Mode mode) {
  return {"memory-floor", mode == job::Mode::train
                              ? "parameters, optimizer state, gradients and saved activations alone exceed the usable "
                                "memory"
                              : "parameters and activations alone exceed the usable memory"};
}

/// A batch, and the useful images per second that it reaches or cannot exceed.
struct Promise {
  BatchChoice choice{};
  double rate{};
};

/// One group, and its job with any batch.
class Walk {
 public:
  Walk(const PlanRequest& request, const Group& group, Certainty certainty, const estimate::Engine& engine)
      : request_(request),
        certainty_(certainty),
        engine_(engine),
        fit_(request, engine),
        target_(request.candidates[group.candidate].target),
        job_(job_of(request, group, {})) {
    out.group = group;
  }

  const job::Job& job(BatchChoice choice) {
    job_.batch = choice.batch;
    job_.accumulation = choice.accumulation;
    return job_;
  }
  bool below_floor(BatchChoice choice) { return fit_.floor_excess(job(choice), target_) > Bytes(0); }
  bool fits(BatchChoice choice) { return fit_.fits(job(choice), target_); }
  bool runs(BatchChoice choice) { return fit_.runs(job(choice), target_); }
  bool acceptable(BatchChoice choice) {
    return fits(choice) && (certainty_ == Certainty::possible || fit_.high_excess(job(choice), target_) <= Bytes(0));
  }
  /// Useful images per second; 0 where the settings do not go together.
  double rate(BatchChoice choice) {
    const auto time = timed(job(choice), target_, engine_);
    return time ? time->images_per_second * useful_share(job_) : 0;
  }
  /// No batch above fits, or makes sense.
  std::int64_t ceiling(std::int64_t accumulation) {
    const std::int64_t floor = by_floor(accumulation);
    const auto makes_sense = [&](std::int64_t batch) { return valid({batch, accumulation}); };
    return makes_sense(floor) ? floor : bisected(floor, makes_sense);
  }

  Explored out{};

  /// Batches up to the first that the floor forbids, that one included, or to the whole data set.
  std::vector<BatchChoice> ladder(std::int64_t accumulation) {
    const std::int64_t floor = by_floor(accumulation);
    const std::int64_t last = valid({floor + 1, accumulation}) ? floor + 1 : ceiling(accumulation);
    const auto most = batch_of_data(request_, out.group.gpus, accumulation);
    const std::int64_t parts = out.group.gpus * accumulation;
    std::vector<std::int64_t> batches = batch_ladder(most ? std::min(last, std::max<std::int64_t>(*most, 1)) : last);
    if (most) {
      // The smallest batch of as many steps wastes least in the last of them.
      for (std::int64_t& batch : batches) {
        const std::int64_t steps = base::ceil_div(*request_.job.data.images, batch * parts);
        batch = base::ceil_div(*request_.job.data.images, steps * parts);
      }
      batches.erase(std::unique(batches.begin(), batches.end()), batches.end());
    }
    std::vector<BatchChoice> rungs;
    for (const std::int64_t batch : batches) {
      rungs.push_back({batch, accumulation});
    }
    return rungs;
  }

  /// Times and then simulates, most promising first by the floor of its time: what is slower than what fits by
  /// more than `kBand` needs no simulation.
  void consider(const std::vector<BatchChoice>& choices, double bar) {
    std::vector<Promise> promises;
    for (const BatchChoice choice : choices) {
      promises.push_back({choice, most(choice)});
    }
    out.enumerated += static_cast<std::int64_t>(choices.size());
    std::ranges::stable_sort(promises, std::ranges::greater{}, &Promise::rate);
    double best = 0;  // useful images per second
    const auto idle = [&](const Promise& promise) {
      const bool slow = promise.rate <= bar || promise.rate * kBand < best;
      if (slow) {
        reject(kSlower, promise.choice, PercentSlower{100 * (std::max(best, bar) / promise.rate - 1)});
      }
      return slow;
    };
    for (Promise& promise : promises) {
      if (idle(promise)) {
        continue;
      }
      const auto time = timed(job(promise.choice), target_, engine_);
      if (!time) {
        reject(kInvalid, promise.choice, {});
        continue;
      }
      promise.rate = time->images_per_second * useful_share(job_);
      if (idle(promise)) {
        continue;
      }
      if (has_room(promise.choice)) {
        best = std::max(best, promise.rate);
        out.evaluated.push_back(evaluate(job(promise.choice), target_, *engine_.memory(job_, target_), *time));
      } else {
        out.potential = std::max(out.potential, promise.rate);
      }
    }
  }

  /// What the user fixes may leave batches that make no sense: too many micro-batches, more work than is counted.
  void walk_fixed(std::vector<BatchChoice> choices, double bar) {
    std::erase_if(choices, [&](const BatchChoice& choice) {
      const auto error = job::validate(job(choice));
      if (error) {
        ++out.enumerated;
        reject({kInvalid.reason, error->rule}, choice, {});
      }
      return error.has_value();
    });
    consider(choices, bar);
  }

  /// Batches between rungs that are faster than `best`, the fastest first. Two rungs bound what lies between them, but
  /// for the rung beyond the best, where rates may go on rising until another algorithm begins.
  std::vector<Promise> between_rungs(const Evaluated& best) {
    constexpr double kWorthIt = 1.001;
    constexpr std::int64_t kMostTimed = 64;  // in one gap
    std::vector<Promise> faster;
    const std::int64_t accumulation = best.job.accumulation;
    const double least = best.useful_images_per_second * kWorthIt;
    const std::vector<BatchChoice> rungs = ladder(accumulation);
    for (std::size_t i = 0; i + 1 < rungs.size(); ++i) {
      const std::int64_t below = rungs[i].batch;
      const std::int64_t gap = rungs[i + 1].batch - below - 1;
      const auto above = [&](std::int64_t n) { return BatchChoice{below + n, accumulation}; };
      if (gap == 0) {
        continue;
      }
      if (rate(rungs[i]) > least || rate(rungs[i + 1]) > least) {
        const std::int64_t stride = base::ceil_div(gap, kMostTimed);
        for (std::int64_t n = gap; n >= 1; n -= stride) {
          faster.push_back({above(n), rate(above(n))});
        }
      } else if (below == best.job.batch) {
        const std::int64_t more = bisected(gap, [&](std::int64_t n) {
          return rate(above(n)) > best.useful_images_per_second && acceptable(above(n));
        });
        faster.push_back({above(more), rate(above(more))});
      }
    }
    std::erase_if(faster, [&](const Promise& p) { return p.rate <= best.useful_images_per_second; });
    std::ranges::stable_sort(faster, std::ranges::greater{}, &Promise::rate);
    return faster;
  }

 private:
  bool valid(BatchChoice choice) { return !job::validate(job(choice)); }
  std::int64_t by_floor(std::int64_t accumulation) {
    return last_true(kLargestBatch, [&](std::int64_t batch) { return !below_floor({batch, accumulation}); });
  }
  /// Useful images per second that it cannot exceed.
  double most(BatchChoice choice) {
    const auto floor = engine_.time_floor(job(choice), target_);
    return floor ? static_cast<double>(job::global_batch(job_)) / floor->count() * useful_share(job_) : HUGE_VAL;
  }
  void reject(const Refusal& refusal, BatchChoice choice, Miss miss) {
    out.rejected.add(refusal, miss, [&] { return describe(job(choice), target_.gpu.name); });
  }
  void reject_for_memory(const Refusal& refusal, BatchChoice choice, Bytes miss) {
    if (!out.nearest_miss || miss < *out.nearest_miss) {
      out.nearest_miss = miss;
      out.nearest_job = job(choice);
    }
    reject(refusal, choice, miss > Bytes(0) ? Miss(miss) : Miss());
  }

  /// Whether it fits as it has to; tells why not.
  bool has_room(BatchChoice choice) {
    const Bytes excess = fit_.floor_excess(job(choice), target_);
    if (excess > Bytes(0)) {
      reject_for_memory(floor_refusal(job_.mode), choice, excess);
      return false;
    }
    const auto answer = engine_.memory(job_, target_);
    if (!answer) {
      reject(kInvalid, choice, {});
    } else if (answer->verdict == Verdict::does_not_fit) {
      reject_for_memory(kMemory, choice, answer->missing);
    } else if (!fit_.keeps_reserve(*answer)) {
      reject_for_memory(kReserve, choice,
                        answer->reserved_peak + reserve_of(request_, answer->usable) - answer->usable);
    } else if (answer->verdict == Verdict::fits_with_cache_flushes) {
      reject_for_memory(kFlushes, choice, Bytes(0));
    } else if (const Bytes high = certainty_ == Certainty::certain ? fit_.high_excess(job_, target_) : Bytes(0);
               high > Bytes(0)) {
      reject(kUncertain, choice, high);
    } else {
      return true;
    }
    return false;
  }

  const PlanRequest& request_;
  Certainty certainty_;
  const estimate::Engine& engine_;
  Fit fit_;
  const estimate::Target& target_;
  job::Job job_;
};

}  // namespace

Limits solve_limits(const PlanRequest& request, const Group& group, std::int64_t accumulation,
                    const estimate::Engine& engine, std::int64_t most_tried) {
  Walk walk(request, group, Certainty::possible, engine);
  Limits limits;
  const std::int64_t ceiling = walk.ceiling(accumulation);
  const auto runs = [&](std::int64_t batch) { return walk.runs({batch, accumulation}); };
  limits.possible = largest_below(ceiling, runs, most_tried);
  limits.limited_by_search = limits.possible == ceiling && !walk.below_floor({ceiling + 1, accumulation});
  limits.hard = last_of_all(limits.possible, runs);
  const auto fits = [&](std::int64_t batch) { return walk.fits({batch, accumulation}); };
  limits.steady = largest_below(limits.hard, fits, most_tried);
  return limits;
}

Explored explore(const PlanRequest& request, const Group& group, Certainty certainty, double bar,
                 const estimate::Engine& engine) {
  Walk walk(request, group, certainty, engine);
  if (const auto choices = fixed_batches(request, group.gpus)) {
    walk.walk_fixed(*choices, bar);
  } else {
    walk.consider(walk.ladder(request.accumulation.value_or(1)), bar);
  }
  return std::move(walk.out);
}

void refine(const PlanRequest& request, Explored& explored, Certainty certainty, const estimate::Engine& engine) {
  Walk walk(request, explored.group, certainty, engine);
  walk.out = std::move(explored);
  const auto faster = walk.between_rungs(Evaluated(walk.out.fastest()));
  const auto first = std::ranges::find_if(faster, [&](const Promise& p) { return walk.acceptable(p.choice); });
  if (first != faster.end()) {
    walk.consider({first->choice}, 0);
  }
  explored = std::move(walk.out);
}

}  // namespace vggplan::planner
