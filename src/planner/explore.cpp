// SPDX-License-Identifier: MIT
#include "explore.hpp"

#include <algorithm>
#include <cmath>

#include "limits.hpp"
#include "vggplan/base/format.hpp"

namespace vggplan::planner {
namespace {

using base::Bytes;
using estimate::MemoryAnswer;
using estimate::Verdict;

/// No batch beyond this is looked at: as many images as a large data set has.
constexpr std::int64_t kLargestBatch = 1 << 20;

const Refusal kFloor{"memory-floor",
                     "parameters, optimizer state, gradients and saved activations alone exceed the usable memory"};
const Refusal kMemory{"memory", "the simulated step runs out of memory"};
const Refusal kFlushes{"cache-flushes", "runs only by flushing the allocator's cache in every step"};
const Refusal kSlower{"slower", "cannot come within 1 % of the best batch of the same settings"};
const Refusal kSharding{"sharding", "makes room for no batch that is faster than those that fit without it"};
const Refusal kInvalid{"combination", "the settings do not go together"};

/// One group, its job for any batch, and the target without the reserve.
class Walk {
 public:
  Walk(const PlanRequest& request, const Group& group, const estimate::Engine& engine)
      : request_(request), engine_(engine), target_(limited_target(request, request.candidates[group.candidate])) {
    out.group = group;
  }

  [[nodiscard]] job::Job job(BatchChoice choice) const { return job_of(request_, out.group, choice); }
  [[nodiscard]] bool below_floor(BatchChoice choice) const {
    return engine_.memory_floor(job(choice), target_) > target_.usable;
  }
  [[nodiscard]] std::optional<MemoryAnswer> memory(BatchChoice choice) const {
    auto answer = engine_.memory(job(choice), target_);
    return answer ? std::optional(*answer) : std::nullopt;
  }
  [[nodiscard]] bool fits(BatchChoice choice, bool flushing) const {
    const auto answer = memory(choice);
    return answer && answer->verdict != Verdict::does_not_fit && (flushing || answer->verdict == Verdict::fits);
  }
  /// Useful images per second; 0 where the settings do not go together.
  [[nodiscard]] double rate(BatchChoice choice) const {
    const job::Job asked = job(choice);
    const auto time = engine_.time(asked, target_);
    return time ? time->images_per_second * useful_share(asked) : 0;
  }
  /// Useful images per second that it cannot exceed.
  [[nodiscard]] double most(BatchChoice choice) const {
    const job::Job asked = job(choice);
    const auto floor = engine_.time_floor(asked, target_);
    const bool known = floor && floor->count() > 0;
    return known ? static_cast<double>(job::global_batch(asked)) / floor->count() * useful_share(asked) : HUGE_VAL;
  }
  [[nodiscard]] bool valid(BatchChoice choice) const { return !job::validate(job(choice)); }
  /// Batches up to the first that the floor forbids, that one included, or to the whole data set.
  [[nodiscard]] std::vector<BatchChoice> ladder(std::int64_t accumulation) const;
  /// No batch above fits, or makes sense.
  [[nodiscard]] std::int64_t ceiling(std::int64_t accumulation) const {
    const std::int64_t floor = by_floor(accumulation);
    const auto makes_sense = [&](std::int64_t batch) { return valid({batch, accumulation}); };
    return floor == 0 || makes_sense(floor) ? floor : bisected(floor, makes_sense);
  }

  void reject(const Refusal& refusal, BatchChoice choice, Miss miss) {
    if (!out.rejected.count_if_further(refusal.reason, miss)) {
      out.rejected.add(refusal, 1, miss, describe(job(choice), gpu()));
    }
  }
  void reject_for_memory(BatchChoice choice, bool allow_flushes);
  void time_best_first(const std::vector<BatchChoice>& choices, bool allow_flushes);
  [[nodiscard]] const std::string& gpu() const { return target_.gpu.name; }
  [[nodiscard]] const estimate::Target& target() const { return target_; }

  Explored out{};

 private:
  [[nodiscard]] std::int64_t by_floor(std::int64_t accumulation) const {
    return last_true(kLargestBatch, [&](std::int64_t batch) { return !below_floor({batch, accumulation}); });
  }
  void remember_miss(BatchChoice choice, Bytes miss) {
    if (!out.nearest_miss || miss < *out.nearest_miss) {
      out.nearest_miss = miss;
      out.nearest_job = job(choice);
    }
  }

  const PlanRequest& request_;
  const estimate::Engine& engine_;
  estimate::Target target_;
};

std::vector<BatchChoice> Walk::ladder(std::int64_t accumulation) const {
  const std::int64_t floor = by_floor(accumulation);
  const std::int64_t last = valid({floor + 1, accumulation}) ? floor + 1 : ceiling(accumulation);
  const auto most = batch_of_data(request_, out.group.gpus, accumulation);
  const std::int64_t parts = out.group.gpus * accumulation;
  const std::int64_t end = most ? std::clamp<std::int64_t>(*most, 1, std::max<std::int64_t>(last, 1)) : last;
  std::vector<std::int64_t> batches = batch_ladder(end);
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

void Walk::reject_for_memory(BatchChoice choice, bool allow_flushes) {
  const Bytes floor = engine_.memory_floor(job(choice), target_);
  if (floor > target_.usable) {
    remember_miss(choice, floor - target_.usable);
    return reject(kFloor, choice, floor - target_.usable);
  }
  const auto answer = memory(choice);
  if (!answer) {
    return reject(kInvalid, choice, {});
  }
  if (answer->verdict == Verdict::does_not_fit) {
    remember_miss(choice, answer->missing);
    return reject(kMemory, choice, answer->missing);
  }
  if (!allow_flushes) {
    remember_miss(choice, Bytes(0));
    reject(kFlushes, choice, {});
  }
}

/// Times and then simulates, most promising first by the floor of its time: what is slower than what fits by
/// more than `kBand` needs no simulation.
void Walk::time_best_first(const std::vector<BatchChoice>& choices, bool allow_flushes) {
  struct Promise {
    BatchChoice choice{};
    double most{};  ///< images per second that it cannot exceed
  };
  std::vector<Promise> promises;
  for (const BatchChoice choice : choices) {
    ++out.enumerated;
    promises.push_back({choice, most(choice)});
  }
  std::ranges::stable_sort(promises, std::ranges::greater{}, &Promise::most);
  double best = 0;  // useful images per second
  for (const Promise& promise : promises) {
    if (promise.most * kBand < best) {
      reject(kSlower, promise.choice, PercentSlower{100 * (best / promise.most - 1)});
      continue;
    }
    const job::Job job = this->job(promise.choice);
    const auto time = engine_.time(job, target_);
    if (!time || !(time->images_per_second > 0)) {
      reject(kInvalid, promise.choice, {});
      continue;
    }
    const double rate = time->images_per_second * useful_share(job);
    if (rate * kBand < best) {
      reject(kSlower, promise.choice, PercentSlower{100 * (best / rate - 1)});
    } else if (below_floor(promise.choice) || !fits(promise.choice, allow_flushes)) {
      reject_for_memory(promise.choice, allow_flushes);
    } else {
      best = std::max(best, rate);
      out.evaluated.push_back(evaluate(job, target_, *memory(promise.choice), *time));
    }
  }
}

const Evaluated& fastest(const Explored& explored) {
  return *std::ranges::max_element(explored.evaluated, {}, &Evaluated::useful_images_per_second);
}

/// Whether one more image needs more than what sharding frees on each GPU.
bool frees_too_little(const Walk& walk, const PlanRequest& request, const estimate::Engine& engine) {
  const auto floor = [&](job::Sharding sharding, std::int64_t batch) {
    Group group = walk.out.group;
    group.settings.sharding = sharding;
    return engine.memory_floor(job_of(request, group, {batch, 1}), walk.target());
  };
  const Bytes image = floor(job::Sharding::ddp, 2) - floor(job::Sharding::ddp, 1);
  return floor(job::Sharding::ddp, 1) - floor(walk.out.group.settings.sharding, 1) < image;
}

/// What a candidate has to beat to count beside others of its GPUs that are simpler. Within `kBand` these are
/// preferred; but a limit of time or money may lie in between, and where money is the aim all of it counts.
double bar_beside(const Explored& others, const PlanRequest& request) {
  const bool exact = request.deadline || request.max_cost || request.objective == Objective::cheapest;
  return fastest(others).useful_images_per_second * (exact ? 1 : kBand);
}

std::int64_t largest_evaluated(const Explored& explored) {
  return std::ranges::max(explored.evaluated, {}, [](const Evaluated& e) { return e.job.batch; }).job.batch;
}

/// Sharding that the plan itself would choose has to make room for something: for any batch at all, or for a
/// larger one that is faster than all that fit without it.
bool sharding_is_idle(const Walk& walk, const Explored& unsharded, const PlanRequest& request, bool allow_flushes,
                      const estimate::Engine& engine) {
  if (unsharded.evaluated.empty()) {
    return false;
  }
  if ((request.batch && !request.global_batch) || frees_too_little(walk, request, engine)) {
    return true;
  }
  const double bar = bar_beside(unsharded, request);
  const std::int64_t accumulation = request.accumulation.value_or(1);
  const auto fixed = fixed_batches(request, walk.out.group.gpus);
  const std::int64_t without = largest_evaluated(unsharded);
  constexpr int kMostTooLarge = 8;  // rungs: twice as many images
  int too_large = 0;
  for (const BatchChoice& choice : fixed ? *fixed : walk.ladder(accumulation)) {
    if (choice.batch > without && walk.below_floor(choice)) {
      return true;  // as are all that follow
    }
    if (choice.batch <= without || walk.most(choice) <= bar || walk.rate(choice) <= bar) {
      continue;
    }
    if (walk.fits(choice, allow_flushes)) {
      return false;
    }
    if (++too_large == kMostTooLarge) {
      return true;
    }
  }
  return true;
}

Limits limits_of(const Walk& walk, std::int64_t accumulation) {
  Limits limits;
  const std::int64_t ceiling = walk.ceiling(accumulation);
  limits.hard = largest_below(ceiling, [&](std::int64_t batch) { return walk.fits({batch, accumulation}, true); });
  limits.limited_by_search = limits.hard == ceiling && !walk.below_floor({ceiling + 1, accumulation});
  limits.steady = largest_below(limits.hard, [&](std::int64_t batch) {
    return walk.fits({batch, accumulation}, false);
  });
  return limits;
}

/// What the user fixes may leave batches that make no sense: too many micro-batches, more work than is counted.
void walk_fixed(Walk& walk, std::vector<BatchChoice> choices, bool allow_flushes) {
  std::erase_if(choices, [&](const BatchChoice& choice) {
    const auto error = job::validate(walk.job(choice));
    if (error) {
      ++walk.out.enumerated;
      walk.reject({kInvalid.reason, error->rule}, choice, {});
    }
    return error.has_value();
  });
  walk.time_best_first(choices, allow_flushes);
}

}  // namespace

Limits solve_limits(const PlanRequest& request, const Group& group, std::int64_t accumulation,
                    const estimate::Engine& engine) {
  return limits_of(Walk(request, group, engine), accumulation);
}

double useful_share(const job::Job& job) {
  const auto computed = estimate::images_of_epoch(job);
  return computed ? static_cast<double>(*job.data.images) / *computed : 1;
}

Evaluated evaluate(const job::Job& job, const estimate::Target& target, const estimate::MemoryAnswer& memory,
                   const estimate::TimeAnswer& time) {
  Evaluated row;
  row.job = job;
  row.gpu = target.gpu.name;
  row.verdict = memory.verdict;
  row.usable = target.usable;
  row.run_peak = memory.run_peak;
  row.reserved_peak = memory.reserved_peak;
  row.step = time.step;
  row.images_per_second = time.images_per_second;
  row.useful_images_per_second = time.images_per_second * useful_share(job);
  row.bound_by = time.bound_by;
  row.usd_per_hour = time.usd_per_hour;
  const double hours_per_million = 1e6 / row.useful_images_per_second / 3600;
  row.gpu_hours_per_million_images = hours_per_million * static_cast<double>(job.parallel.gpus);
  if (time.usd_per_hour) {
    row.usd_per_million_images = base::Usd(time.usd_per_hour->count() * hours_per_million);
  }
  if (const auto images = estimate::images_of_epoch(job)) {
    row.total = base::Seconds(*images / time.images_per_second * static_cast<double>(estimate::epochs_of(job)));
    if (time.usd_per_hour) {
      row.cost = base::Usd(time.usd_per_hour->count() * row.total->count() / 3600);
    }
  }
  return row;
}

std::optional<Evaluated> evaluate(const job::Job& job, const estimate::Target& target,
                                  const estimate::MemoryAnswer& memory, const estimate::Engine& engine) {
  const auto time = engine.time(job, target);
  const bool timed = time && time->images_per_second > 0;
  return timed ? std::optional(evaluate(job, target, memory, *time)) : std::nullopt;
}

Explored explore(const PlanRequest& request, const Group& group, const Explored* unsharded, bool allow_flushes,
                 const estimate::Engine& engine) {
  Walk walk(request, group, engine);
  const auto refused = [&](const Refusal& refusal) {
    walk.out.enumerated = 1;
    walk.out.rejected.add(refusal, 1, {}, describe(request, group));
    return walk.out;
  };
  if (const auto refusal = refuse(request, group)) {
    return refused(*refusal);
  }
  if (unsharded != nullptr && sharding_is_idle(walk, *unsharded, request, allow_flushes, engine)) {
    return refused(kSharding);
  }
  if (const auto choices = fixed_batches(request, group.gpus)) {
    walk_fixed(walk, *choices, allow_flushes);
  } else {
    walk.time_best_first(walk.ladder(request.accumulation.value_or(1)), allow_flushes);
  }
  return walk.out;
}

void refine(const PlanRequest& request, Explored& explored, bool allow_flushes, const estimate::Engine& engine) {
  Walk walk(request, explored.group, engine);
  walk.out = std::move(explored);
  const Evaluated best = fastest(walk.out);
  const std::int64_t batch = best.job.batch;
  const std::int64_t accumulation = best.job.accumulation;
  const auto rungs = walk.ladder(accumulation);
  const auto next = std::ranges::find_if(rungs, [&](const BatchChoice& rung) { return rung.batch > batch; });
  const std::int64_t between = next == rungs.end() ? 0 : next->batch - batch - 1;
  const std::int64_t more = bisected(between, [&](std::int64_t n) {
    const BatchChoice choice{batch + n, accumulation};
    return walk.rate(choice) > best.useful_images_per_second && !walk.below_floor(choice) &&
           walk.fits(choice, allow_flushes);
  });
  if (more > 0) {
    walk.time_best_first({{batch + more, accumulation}}, allow_flushes);
  }
  explored = std::move(walk.out);
}

}  // namespace vggplan::planner
