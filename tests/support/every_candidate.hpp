// SPDX-License-Identifier: MIT
// The planner's question as plain nested loops: written without looking at the planner's own enumeration.
#pragma once

#include <cmath>
#include <string>
#include <tuple>
#include <vector>

#include "support/random_plan.hpp"
#include "vggplan/planner/plan.hpp"

namespace vggplan::support {

using planner::Candidate;
using planner::Objective;
using planner::PlanRequest;

/// A candidate, and what the engine says of it.
struct Tried {
  job::Job job{};
  std::size_t gpu{};
  std::string refused{};  ///< for lack of memory: the code of a Rejection; empty where it fits
  base::Bytes miss{};     ///< of memory
  double seconds_per_image{};
  double cost{};  ///< dollars or GPU-hours per image
  bool priced{};
  bool late{};      ///< beyond the deadline
  bool dear{};      ///< beyond the budget
  bool unpriced{};  ///< there is a budget, and no price is known
  bool certain{};   ///< the upper end of its memory's range fits, too
  [[nodiscard]] bool fits() const { return refused.empty(); }
  [[nodiscard]] bool counts() const { return fits() && !late && !dear && !unpriced; }
  [[nodiscard]] bool same_group(const Tried& other) const {
    job::Job mine = job;
    mine.batch = other.job.batch;
    mine.accumulation = other.job.accumulation;
    return gpu == other.gpu && mine == other.job;
  }
};

/// What the request keeps free of a GPU in a made-up world.
inline base::Bytes kept_free(const PlanRequest& request, const estimate::Target& target) {
  return base::Bytes(static_cast<std::int64_t>(target.usable.as_double() * request.reserve.percent / 100) +
                     request.reserve.bytes.count());
}

/// What the models say of a job on one of the request's GPUs.
inline Tried try_out(const PlanRequest& request, const estimate::Engine& engine, const job::Job& job, std::size_t gpu) {
  const estimate::Target& target = request.candidates[gpu].target;
  const base::Bytes reserve = kept_free(request, target);
  Tried entry{.job = job, .gpu = gpu};
  const auto memory = engine.memory(job, target).value();
  if (const auto floor = engine.memory_floor(job, target); floor > target.usable - reserve) {
    entry.refused = "memory-floor";
    entry.miss = floor - (target.usable - reserve);
  } else if (memory.verdict == estimate::Verdict::does_not_fit) {
    entry.refused = "memory";
    entry.miss = memory.missing;
  } else if (memory.reserved_peak > target.usable - reserve) {
    entry.refused = "reserve";
    entry.miss = memory.reserved_peak - (target.usable - reserve);
  } else if (memory.verdict != estimate::Verdict::fits) {
    entry.refused = "cache-flushes";
  }
  entry.certain = engine.reserved_high(job, target).value() <= target.usable - reserve;
  // Every step computes a whole batch, the last of an epoch too.
  const auto time = engine.time(job, target).value();
  const auto count = static_cast<double>(job.data.images.value_or(1 << 20));
  const auto batch = static_cast<double>(job::global_batch(job));
  const double computed = job.data.images ? std::ceil(count / batch) * batch : count;
  entry.seconds_per_image = computed / count / time.images_per_second;
  entry.priced = time.usd_per_hour.has_value();
  entry.cost = entry.seconds_per_image / 3600 *
               (entry.priced ? time.usd_per_hour->count() : static_cast<double>(job.parallel.gpus));
  const auto epochs = job.mode == job::Mode::train ? job.data.epochs : 1;
  const auto images = static_cast<double>(job.data.images.value_or(0) * epochs);
  entry.late = request.deadline && entry.seconds_per_image * images > request.deadline->count();
  entry.dear = request.max_cost && entry.priced && entry.cost * images > request.max_cost->count();
  entry.unpriced = request.max_cost && !entry.priced;
  return entry;
}

/// In time, money and GPUs, within a factor.
inline bool as_good(const Tried& a, const Tried& b, double band) {
  return a.priced == b.priced && a.job.parallel.gpus <= b.job.parallel.gpus &&
         a.seconds_per_image <= b.seconds_per_image * band && a.cost <= b.cost * band;
}

/// Of two that are equally good, the one with the lesser is taken.
inline auto simplicity(const Tried& e) {
  const std::int64_t batch = e.job.model.batch_norm && e.job.mode == job::Mode::train ? -e.job.batch : e.job.batch;
  return std::tuple(e.job.parallel.gpus, e.job.parallel.sharding, e.job.checkpointing.kind,
                    e.job.checkpointing.segments, e.job.precision, batch, e.job.accumulation, e.job.layout, e.gpu);
}

class Everything {
 public:
  Everything(const PlanRequest& request, const estimate::Engine& engine) : request_(request), engine_(engine) {
    for (std::size_t i = 0; i < request_.candidates.size(); ++i) {
      const Candidate& c = request_.candidates[i];
      for (std::int64_t gpus = 1; gpus <= c.gpus; ++gpus) {
        // Up to a machine any number, beyond it whole machines, or machines as full as each other; the number that was
        // asked for in any case.
        const std::int64_t nodes = request_.nodes.value_or(1);
        const bool whole = gpus <= c.per_node * nodes || (!request_.nodes && gpus % c.per_node == 0);
        const bool looked_at = gpus == c.gpus || (!c.exactly && whole && gpus % nodes == 0);
        if (looked_at && (!request_.max_gpus || gpus <= *request_.max_gpus)) {
          settings(i, gpus);
        }
      }
    }
  }

  /// All that make sense: every batch up to the first for which the floor of memory leaves no room.
  std::vector<Tried> tried{};

  /// Those that are certain to fit; the others only where none of these counts.
  [[nodiscard]] std::vector<Tried> that_count() const {
    std::vector<Tried> those;
    const bool certain = std::ranges::any_of(tried, [](const Tried& e) { return e.counts() && e.certain; });
    std::ranges::copy_if(tried, std::back_inserter(those),
                         [&](const Tried& e) { return e.counts() && (e.certain || !certain); });
    return those;
  }
  [[nodiscard]] std::optional<Tried> best() const { return best_of(that_count()); }

  /// What the objective asks for: of two, the one with the lesser.
  [[nodiscard]] std::tuple<std::int64_t, bool, double> aim(const Tried& e) const {
    switch (request_.objective) {
      case Objective::fastest: return {0, false, e.seconds_per_image};
      case Objective::cheapest: return {0, !e.priced, e.cost};
      case Objective::fewest_gpus: return {e.job.parallel.gpus, false, e.seconds_per_image};
    }
    return {};
  }

  [[nodiscard]] std::optional<Tried> best_of(const std::vector<Tried>& those) const {
    if (those.empty()) {
      return std::nullopt;
    }
    const auto least = std::ranges::min(those, {}, [&](const Tried& e) { return aim(e); });
    std::vector<Tried> equal;
    for (const Tried& e : those) {
      const auto [n, p, figure] = aim(e);
      const auto [bn, bp, best] = aim(least);
      if (n == bn && p == bp && figure <= 1.01 * best) {
        equal.push_back(e);
      }
    }
    if (request_.objective == Objective::cheapest) {
      keep(equal, 1.01, [](const Tried& e) { return e.seconds_per_image; });
    }
    keep(equal, 1, [](const Tried& e) { return e.job.parallel.gpus; });
    keep(equal, 1.01, [](const Tried& e) { return e.priced ? e.cost : 0; });
    return std::ranges::min(equal, {}, simplicity);
  }

 private:
  [[nodiscard]] bool offered(const job::Job& job, bool bf16) const {
    using job::Precision;
    if (request_.precision) {
      const bool wants_bf16 = job.precision == Precision::amp_bf16 || job.precision == Precision::bf16;
      return job.precision == *request_.precision && (bf16 || !wants_bf16);
    }
    const bool better = job.precision == Precision::amp_fp16 && bf16;  // bfloat16 is there, and safer
    const bool possible = job.precision == Precision::tf32 || job.precision == Precision::amp_fp16 ||
                          (job.precision == Precision::amp_bf16 && bf16);
    return possible && !better;
  }

  void settings(std::size_t index, std::int64_t gpus) {
    using job::Precision;
    using Kind = job::Checkpointing::Kind;
    const Candidate& candidate = request_.candidates[index];
    job::Job job = request_.job;
    job.parallel.gpus = gpus;
    job.parallel.nodes = request_.nodes.value_or((gpus + candidate.per_node - 1) / candidate.per_node);
    for (const Precision precision :
         {Precision::fp32, Precision::tf32, Precision::amp_bf16, Precision::amp_fp16, Precision::bf16}) {
      for (const auto layout : {base::Layout::nchw, base::Layout::nhwc}) {
        for (const Kind kind : {Kind::none, Kind::block}) {
          for (const auto sharding : {job::Sharding::ddp, job::Sharding::zero1, job::Sharding::fsdp2}) {
            job.precision = precision;
            job.layout = layout;
            job.checkpointing = {kind, 0};
            job.parallel.sharding = sharding;
            const bool train = job.mode == job::Mode::train;
            const bool unasked = (!request_.checkpointing && kind != Kind::none && !train) ||
                                 (!request_.sharding && sharding != job::Sharding::ddp && (gpus == 1 || !train));
            const bool other = (request_.layout && layout != *request_.layout) ||
                               (request_.checkpointing && kind != request_.checkpointing->kind) ||
                               (request_.sharding && sharding != *request_.sharding);
            if (!unasked && !other && offered(job, candidate.target.gpu.bf16_tensor.has_value())) {
              batches(job, index);
            }
          }
        }
      }
    }
  }

  /// Every batch that the request allows.
  void batches(job::Job job, std::size_t index) {
    const std::int64_t images = request_.job.data.images.value_or(1 << 30);
    const std::int64_t least = job.parallel.gpus * request_.accumulation.value_or(1);
    const bool open = !request_.global_batch && !request_.candidates[index].exactly && job.parallel.gpus > 1;
    if (open && least * request_.batch.value_or(1) > images) {
      return;  // fewer GPUs do as well
    }
    bool sound = false;  // whether it is a job, which is asked once, and again for more micro-batches
    std::int64_t checked = 0;
    for (std::int64_t batch = 1; batch <= 64; ++batch) {
      if (request_.batch && *request_.batch != batch) {
        continue;
      }
      if (batch > 1 && !request_.batch && !request_.global_batch && least * batch > images) {
        break;
      }
      job.batch = batch;
      job.accumulation = request_.accumulation.value_or(1);
      if (request_.global_batch) {
        if (*request_.global_batch % (batch * job.parallel.gpus) != 0) {
          continue;
        }
        job.accumulation = *request_.global_batch / (batch * job.parallel.gpus);
        if (request_.accumulation && job.accumulation != *request_.accumulation) {
          continue;
        }
      }
      if (checked != job.accumulation) {
        sound = !job::validate(job);
        checked = job.accumulation;
      }
      if (!sound) {
        continue;
      }
      tried.push_back(try_out(request_, engine_, job, index));
      if (!request_.batch && !request_.global_batch && tried.back().refused == "memory-floor") {
        break;
      }
    }
  }

  /// Those at most `band` times the least above 0; what has 0 stays.
  template <class Figure>
  static void keep(std::vector<Tried>& entries, double band, Figure figure) {
    double least = HUGE_VAL;
    for (const Tried& e : entries) {
      const auto value = static_cast<double>(figure(e));
      least = value > 0 ? std::min(least, value) : least;
    }
    std::erase_if(entries, [&](const Tried& e) { return static_cast<double>(figure(e)) > band * least; });
  }

  const PlanRequest& request_;
  const estimate::Engine& engine_;
};

/// How a job does on a GPU, by the engine alone.
struct Room {
  bool runs{};
  bool fits{};
  bool certain{};
  bool above_floor{};
};
inline Room room_of(const PlanRequest& request, const estimate::Engine& engine, const job::Job& job,
                    const estimate::Target& target) {
  const base::Bytes limit = target.usable - kept_free(request, target);
  const auto memory = engine.memory(job, target).value();
  Room room;
  room.above_floor = engine.memory_floor(job, target) <= limit;
  room.runs = room.above_floor && memory.verdict != estimate::Verdict::does_not_fit && memory.reserved_peak <= limit;
  room.fits = room.runs && memory.verdict == estimate::Verdict::fits;
  room.certain = room.fits && engine.reserved_high(job, target).value() <= limit;
  return room;
}

/// The largest batches, by trying all until the floor forbids them.
struct LargestBatches {
  std::int64_t steady{};    ///< of those up to `hard`, without cache flushes
  std::int64_t hard{};      ///< as long as none failed
  std::int64_t possible{};  ///< that runs at all
  std::int64_t certain{};   ///< of those up to `steady`, surely
};
inline LargestBatches largest_batches(const PlanRequest& request, const estimate::Engine& engine, job::Job job,
                                      const estimate::Target& target) {
  LargestBatches most;
  std::int64_t certain = 0;
  for (job.batch = 1; job.batch == 1 || room_of(request, engine, job, target).above_floor; ++job.batch) {
    const Room room = room_of(request, engine, job, target);
    most.possible = room.runs ? job.batch : most.possible;
    most.hard = room.runs && most.hard == job.batch - 1 ? job.batch : most.hard;
    if (job.batch == most.hard) {
      certain = room.certain ? job.batch : certain;
      most.steady = room.fits ? job.batch : most.steady;
      most.certain = room.fits ? certain : most.certain;
    }
  }
  return most;
}

/// A candidate in words.
inline std::string label(const job::Job& job, const std::string& gpu) {
  std::string text = std::to_string(job.parallel.gpus) + " x " + gpu;
  const auto add = [&](std::string_view part) { text += ", " + std::string(part); };
  add(base::name_of_enum(job.precision));
  add(base::name_of_enum(job.layout));
  if (job.checkpointing.kind != job::Checkpointing::Kind::none) {
    add("checkpointing " + job::to_string(job.checkpointing));
  }
  if (job.parallel.gpus > 1 && job.parallel.sharding != job::Sharding::ddp) {
    add(base::name_of_enum(job.parallel.sharding));
  }
  return text + ", batch " + std::to_string(job.batch) +
         (job.accumulation > 1 ? " x " + std::to_string(job.accumulation) + " micro-batches" : "");
}

}  // namespace vggplan::support
