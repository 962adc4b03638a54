// SPDX-License-Identifier: MIT
#include "remedies.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "limits.hpp"
#include "resolution.hpp"
#include "vggplan/base/format.hpp"

namespace vggplan::planner {
namespace {

using base::Bytes;
using estimate::MemoryAnswer;
using estimate::Target;
using estimate::Verdict;

/// A change of settings, before it is known to help.
struct Change {
  std::string code{};
  std::string text{};
  std::string costs{};
  bool changes_training{false};
  job::Job job{};
};

/// Tries changes of one job that does not fit.
class Doctor {
 public:
  Doctor(const PlanRequest& request, const job::Job& job, const Candidate& candidate, const estimate::Engine& engine)
      : request_(request), job_(job), target_(limited_target(request, candidate)), engine_(engine) {
    if (const auto answer = engine.memory(job, target_)) {
      short_of_ = answer->missing;
      need_ = answer->allocated_peak;
    }
    if (const auto time = engine.time(job, target_)) {
      seconds_per_image_ = 1 / time->images_per_second;
    }
  }

  std::vector<Remedy> treat();

 private:
  void settings();
  void optimizers();
  void smaller_batch();
  void combination();
  void more_memory();
  void tiles();
  void lower_resolution();

  template <class Edit>
  void offer(std::string code, std::string text, std::string costs, bool changes_training, Edit edit) {
    Change change{std::move(code), std::move(text), std::move(costs), changes_training, job_};
    edit(change.job);
    if (change.job != job_ && !job::validate(change.job)) {
      changes_.push_back(change);
    }
  }
  [[nodiscard]] std::optional<MemoryAnswer> runs(const job::Job& job, const Target& target) const;
  /// `pieces`: how many of the changed job's images stand for one of the original's.
  Remedy& add(const Change& change, const Target& target, const MemoryAnswer& memory, double pieces = 1);

  const PlanRequest& request_;
  const job::Job& job_;
  Target target_;
  const estimate::Engine& engine_;
  Bytes short_of_{};
  Bytes need_{};
  double seconds_per_image_{};
  std::vector<Change> changes_{};
  std::vector<Remedy> remedies_{};
};

std::optional<MemoryAnswer> Doctor::runs(const job::Job& job, const Target& target) const {
  if (job::validate(job) || engine_.memory_floor(job, target) > target.usable) {
    return std::nullopt;
  }
  const auto answer = engine_.memory(job, target);
  return answer && answer->verdict != Verdict::does_not_fit ? std::optional(*answer) : std::nullopt;
}

Remedy& Doctor::add(const Change& change, const Target& target, const MemoryAnswer& memory, double pieces) {
  Remedy remedy;
  remedy.code = change.code;
  remedy.change = change.text;
  remedy.changes_training = change.changes_training;
  remedy.job = change.job;
  remedy.gpu = target.gpu.name;
  remedy.memory = memory;
  remedy.saved = std::max(Bytes(0), need_ - memory.allocated_peak);
  remedy.saves = fmt::format("the peak falls to {}", base::format_bytes(memory.allocated_peak));
  const auto time = engine_.time(change.job, target);
  if (time && time->images_per_second > 0 && seconds_per_image_ > 0) {
    remedy.slowdown = pieces / time->images_per_second / seconds_per_image_;
  }
  std::string costs = change.costs;
  if (remedy.slowdown && std::abs(*remedy.slowdown - 1) >= 0.005) {
    const std::string time_text = fmt::format("{:.2f} times the time per image", *remedy.slowdown);
    costs = costs.empty() ? time_text : time_text + "; " + costs;
  }
  if (memory.verdict == Verdict::fits_with_cache_flushes) {
    costs += fmt::format("{}the allocator flushes its cache {} times a step", costs.empty() ? "" : "; ",
                         memory.cache_flushes_per_step);
  }
  remedy.costs = costs.empty() ? "nothing" : costs;
  remedies_.push_back(std::move(remedy));
  return remedies_.back();
}

void Doctor::settings() {
  using job::Precision;
  const bool full = job_.precision == Precision::fp32 || job_.precision == Precision::tf32;
  const std::string rounding = "products are rounded to 16 bits; weights stay in float32";
  if (full && target_.gpu.bf16_tensor) {
    offer("precision", "use amp-bf16", rounding, false, [](job::Job& job) { job.precision = Precision::amp_bf16; });
  } else if (full && target_.gpu.fp16_tensor) {
    offer("precision", "use amp-fp16", rounding + " and the loss is scaled", false,
          [](job::Job& job) { job.precision = Precision::amp_fp16; });
  }
  if (job_.precision != Precision::bf16 && target_.gpu.bf16_tensor) {
    offer("pure-bf16", "keep weights and images in bfloat16",
          "changes training: weights and optimizer state have 8 bits of precision", true,
          [](job::Job& job) { job.precision = Precision::bf16; });
  }
  offer("layout", "use channels_last (nhwc)", "", false, [](job::Job& job) { job.layout = base::Layout::nhwc; });
  offer("expandable-segments", "set PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True", "", false,
        [](job::Job& job) { job.expandable_segments = true; });
  if (job_.mode == job::Mode::train) {
    offer("checkpointing", "checkpoint each block", "", false, [](job::Job& job) {
      job.checkpointing = {job::Checkpointing::Kind::block, 0};
    });
    for (const std::int64_t n : {2, 3, 4}) {
      offer("checkpointing", fmt::format("checkpoint_sequential with {} segments", n), "", false, [n](job::Job& job) {
        job.checkpointing = {job::Checkpointing::Kind::sequential, n};
      });
    }
  }
  if (job_.parallel.gpus > 1 && job_.mode == job::Mode::train) {
    offer("sharding", "spread the optimizer state over the GPUs (zero1)", "", false,
          [](job::Job& job) { job.parallel.sharding = job::Sharding::zero1; });
    offer("sharding", "spread parameters, gradients and optimizer state over the GPUs (fsdp2)", "", false,
          [](job::Job& job) { job.parallel.sharding = job::Sharding::fsdp2; });
    offer("bucket-view", "let gradients be views of DDP's buckets (gradient_as_bucket_view)", "", false,
          [](job::Job& job) { job.parallel.bucket_view = true; });
  }
  if (job_.head == graph::Head::flatten) {
    offer("head", "pool to 7x7 before the first Linear layer, as torchvision does", "changes the model", true,
          [](job::Job& job) { job.head = graph::Head::adaptive; });
    offer("head", "pool each channel to one value", "changes the model", true,
          [](job::Job& job) { job.head = graph::Head::gap; });
  }
}

void Doctor::optimizers() {
  if (job_.mode != job::Mode::train) {
    return;
  }
  offer("optimizer-impl", "use the fused optimizer", "", false,
        [](job::Job& job) { job.optimizer_impl = job::OptimizerImpl::fused; });
  const bool adaptive = job_.optimizer == job::Optimizer::adam || job_.optimizer == job::Optimizer::adamw;
  if (adaptive) {
    offer("optimizer", "train with momentum", "changes training: one state per parameter instead of two", true,
          [](job::Job& job) { job.optimizer = job::Optimizer::momentum; });
  }
  offer("optimizer", "train with plain SGD", "changes training: no state", true,
        [](job::Job& job) { job.optimizer = job::Optimizer::sgd; });
}

/// Largest micro-batch that divides the one asked for and fits; the rest is accumulated.
void Doctor::smaller_batch() {
  for (std::int64_t parts = 2; parts <= job_.batch; ++parts) {
    if (job_.batch % parts != 0) {
      continue;
    }
    job::Job smaller = job_;
    smaller.batch = job_.batch / parts;
    if (job_.mode == job::Mode::train) {
      smaller.accumulation = job_.accumulation * parts;
    }
    if (const auto answer = runs(smaller, target_)) {
      const std::string text = job_.mode == job::Mode::train
                                   ? fmt::format("micro-batches of {}, {} accumulated for one optimizer step",
                                                 smaller.batch, smaller.accumulation)
                                   : fmt::format("batches of {}", smaller.batch);
      add({"smaller-batch", text, job_.model.batch_norm ? "batch norm sees fewer images at a time" : "",
           job_.model.batch_norm, smaller},
          target_, *answer);
      return;
    }
  }
}

/// Where no single change helps: those that leave training as it is, one on top of the other until it fits.
void Doctor::combination() {
  if (!remedies_.empty()) {
    return;
  }
  Change all{"combination", "", "", false, job_};
  if (all.job.batch > 1 && job_.mode == job::Mode::train) {
    all.job.accumulation *= all.job.batch;
    all.job.batch = 1;
    all.text = fmt::format("micro-batches of 1, {} accumulated", all.job.accumulation);
  }
  const job::Job& as_asked = job_;
  for (const Change& change : changes_) {
    if (change.changes_training) {
      continue;
    }
    job::Job next = all.job;
    if (change.job.precision != as_asked.precision)
      next.precision = change.job.precision;
    if (change.job.layout != as_asked.layout)
      next.layout = change.job.layout;
    if (change.job.checkpointing != as_asked.checkpointing && next.checkpointing == as_asked.checkpointing)
      next.checkpointing = change.job.checkpointing;
    if (change.job.expandable_segments != as_asked.expandable_segments)
      next.expandable_segments = true;
    if (change.job.optimizer_impl != as_asked.optimizer_impl)
      next.optimizer_impl = change.job.optimizer_impl;
    if (change.job.parallel.bucket_view != as_asked.parallel.bucket_view)
      next.parallel.bucket_view = true;
    if (change.job.parallel.sharding != as_asked.parallel.sharding &&
        next.parallel.sharding == as_asked.parallel.sharding)
      next.parallel.sharding = change.job.parallel.sharding;
    if (next == all.job || job::validate(next)) {
      continue;
    }
    all.job = next;
    all.text += (all.text.empty() ? "" : ", and ") + change.text;
    all.costs += change.costs.empty() ? "" : (all.costs.empty() ? "" : "; ") + change.costs;
    if (const auto answer = runs(all.job, target_)) {
      add(all, target_, *answer);
      return;
    }
  }
}

/// The smallest capacity at which the job as asked runs without cache flushes, to the MiB.
void Doctor::more_memory() {
  constexpr std::int64_t kMost = std::int64_t{1} << 26;  // 64 TiB
  const auto with_capacity = [&](std::int64_t mebibytes) {
    Target target = target_;
    target.usable = base::kMiB * mebibytes;
    return target;
  };
  const auto too_small = [&](std::int64_t mebibytes) {
    const Target target = with_capacity(mebibytes);
    const auto answer = runs(job_, target);
    return !answer || answer->verdict != Verdict::fits;
  };
  const std::int64_t enough = last_true(kMost, too_small) + 1;
  const auto answer = runs(job_, with_capacity(enough));
  if (!answer) {
    return;
  }
  const Target* best = nullptr;
  for (const Target& other : request_.others) {
    const auto there = runs(job_, other);
    if (there && there->verdict == Verdict::fits && (best == nullptr || other.usable < best->usable)) {
      best = &other;
    }
  }
  const Bytes needed = base::kMiB * enough;
  const std::string text =
      best == nullptr
          ? fmt::format("use a GPU with {} of usable memory", base::format_bytes(needed))
          : fmt::format("use a GPU with {} of usable memory, such as {}", base::format_bytes(needed), best->gpu.name);
  Remedy& remedy =
      add({"more-memory", text, "", false, job_}, best == nullptr ? with_capacity(enough) : *best, *answer);
  remedy.saves = fmt::format("{} more than the {} that are usable", base::format_bytes(needed - target_.usable),
                             base::format_bytes(target_.usable));
  remedy.saved = Bytes(0);
}

void Doctor::tiles() {
  const Tiling cut = largest_tile(job_, target_, engine_);
  if (cut.tiles < 2) {
    return;
  }
  const job::Job tile = on_tile(job_, cut.side);
  if (const auto answer = runs(tile, target_)) {
    const auto field = estimate::receptive_field(job_.model);
    add({"tiles",
         fmt::format("cut each image into {} tiles of up to {}x{} that share {} pixels (an output of the last pooling "
                     "sees {} pixels)",
                     cut.tiles, tile.image.height, tile.image.width, cut.overlap, field.size),
         "changes training unless the features of all tiles are joined before the head", true, tile},
        target_, *answer, static_cast<double>(cut.tiles));
  }
}

void Doctor::lower_resolution() {
  const MaxResolution largest = largest_resolution(job_, target_, false, engine_);
  if (largest.height == 0) {
    return;
  }
  job::Job smaller = job_;
  smaller.image.height = largest.height;
  smaller.image.width = largest.width;
  if (const auto answer = runs(smaller, target_)) {
    add({"lower-resolution",
         fmt::format(
             "scale the images to {}x{} ({:.0f} % of the pixels)", largest.height, largest.width,
             100.0 * static_cast<double>(smaller.image.elements()) / static_cast<double>(job_.image.elements())),
         "changes training: details are lost", true, smaller},
        target_, *answer);
  }
}

std::vector<Remedy> Doctor::treat() {
  settings();
  optimizers();
  for (const Change& change : changes_) {
    if (const auto answer = runs(change.job, target_)) {
      add(change, target_, *answer);
    }
  }
  smaller_batch();
  combination();
  more_memory();
  tiles();
  lower_resolution();
  std::ranges::stable_sort(remedies_, {}, [](const Remedy& r) {
    return std::tuple(r.changes_training, r.memory.verdict, r.slowdown.value_or(1), -r.saved.count());
  });
  return std::move(remedies_);
}

/// Fewest GPUs, in whole machines beyond the count asked about, that meet the deadline; at most 512.
std::optional<job::Job> enough_gpus(const PlanRequest& request, const Contender& contender,
                                    const estimate::Engine& engine) {
  constexpr std::int64_t kMostGpus = 512;
  const Candidate& candidate = request.candidates[contender.candidate];
  const std::int64_t per_node = std::max<std::int64_t>(1, candidate.per_node);
  const Target target = limited_target(request, candidate);
  job::Job job = contender.figures.job;
  const std::int64_t share = job::global_batch(job);
  while (job.parallel.gpus < kMostGpus) {
    job.parallel.gpus += job.parallel.gpus < per_node ? 1 : per_node - job.parallel.gpus % per_node;
    job.parallel.nodes = (job.parallel.gpus + per_node - 1) / per_node;
    if (request.global_batch) {
      if (share % (job.batch * job.parallel.gpus) != 0) {
        continue;
      }
      job.accumulation = share / (job.batch * job.parallel.gpus);
    }
    const auto memory = engine.memory(job, target);
    const auto figures =
        memory && memory->verdict == Verdict::fits ? evaluate(job, target, *memory, engine) : std::nullopt;
    if (figures && !constraint_missed(request, *figures)) {
      return job;
    }
  }
  return std::nullopt;
}

}  // namespace

std::vector<Remedy> memory_remedies(const PlanRequest& request, const job::Job& job, const Candidate& candidate,
                                    const estimate::Engine& engine) {
  return Doctor(request, job, candidate, engine).treat();
}

std::vector<Remedy> constraint_remedies(const PlanRequest& request, const Search& found,
                                        const estimate::Engine& engine) {
  std::vector<Remedy> remedies;
  const auto chosen = winner(request, found.missed);
  if (!chosen) {
    return remedies;
  }
  const Contender& best = found.missed[*chosen];
  const Target target = limited_target(request, request.candidates[best.candidate]);
  const auto offer = [&](const std::string& code, const std::string& change, const job::Job& job,
                         const std::string& costs) {
    const auto memory = engine.memory(job, target);
    const auto figures = memory ? evaluate(job, target, *memory, engine) : std::nullopt;
    if (!figures) {
      return;
    }
    Remedy remedy{code,   change,   "",
                  costs,  Bytes(0), best.figures.images_per_second / figures->images_per_second,
                  false,  job,      best.figures.gpu,
                  *memory};
    remedy.saves = figures->total ? fmt::format("the run takes {}{}", base::format_seconds(*figures->total),
                                                figures->cost ? " and costs " + base::format_usd(*figures->cost) : "")
                                  : "";
    remedies.push_back(std::move(remedy));
  };
  if (request.deadline) {
    if (const auto job = enough_gpus(request, best, engine)) {
      offer("more-gpus", fmt::format("use {} GPUs", job->parallel.gpus), *job,
            request.global_batch ? "" : fmt::format("a global batch of {}", job::global_batch(*job)));
    }
    if (best.figures.total) {
      offer("deadline", fmt::format("allow {}", base::format_seconds(*best.figures.total)), best.figures.job, "time");
    }
  }
  if (request.max_cost && best.figures.cost) {
    offer("max-cost", fmt::format("allow {}", base::format_usd(*best.figures.cost)), best.figures.job, "money");
  }
  return remedies;
}

}  // namespace vggplan::planner
