// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "explain.hpp"
#include "story.hpp"
#include "vggplan/base/format.hpp"

namespace vggplan::planner {
namespace {

using estimate::Verdict;

std::string rate(double images_per_second) {
  const int digits = images_per_second < 9.95 ? 2 : images_per_second < 99.5 ? 1 : 0;
  return fmt::format("{:.{}f} images/s", images_per_second, digits);
}

}  // namespace

std::string signed_percent(double ratio) {
  const double percent = (ratio - 1) * 100;
  if (std::abs(percent) < 0.05) {
    return "less than 0.1 %";
  }
  return fmt::format("{:+.{}f} %", percent, std::abs(percent) < 9.95 ? 1 : 0);
}

Story::Story(const PlanRequest& request, const Contender& chosen, const estimate::Estimate& estimate,
             const std::optional<Limits>& limits, const estimate::Engine& engine)
    : request_(request),
      chosen_(chosen),
      estimate_(estimate),
      batch_limits_(limits),
      engine_(engine),
      candidate_(request.candidates[chosen.candidate]),
      target_(candidate_.target),
      fit_(request, engine) {}

std::vector<std::string> Story::tell() {
  objective();
  limits();
  bound();
  larger_batches();
  next_batch();
  gpus();
  batch_and_scaling();
  one_more_gpu();
  checkpointing();
  sharding();
  precision();
  layout();
  batch_norm();
  global_batch();
  return std::move(sentences_);
}

Story::Variant Story::variant(const job::Job& job, const estimate::Target& target) const {
  Variant variant;
  if (job::validate(job)) {
    return variant;
  }
  if (const auto memory = engine_.memory(job, target)) {
    variant.memory = *memory;
    variant.figures = evaluate(job, target, *memory, engine_);
  }
  return variant;
}

estimate::MemoryAnswer Story::without_limit(const job::Job& job) const {
  const auto memory = engine_.memory(job, estimate::with_usable(target_, kMostMemory));
  return memory ? *memory : estimate::MemoryAnswer{};
}

void Story::objective() {
  const Evaluated& b = best();
  std::string text = fmt::format("{} reaches {}", describe(b.job, b.gpu), rate(b.images_per_second));
  switch (request_.objective) {
    case Objective::fastest:
      text += b.total ? ", and no candidate ends sooner" : ", the most of all candidates";
      text += " (those within 1 % count as equal, and the simpler wins)";
      break;
    case Objective::cheapest:
      text += b.usd_per_million_images
                  ? fmt::format(" at {} per million images", base::format_usd(*b.usd_per_million_images))
                  : fmt::format(" at {:.1f} GPU-hours per million images", b.gpu_hours_per_million_images);
      text += ", the least of all candidates (those within 1 % count as equal, and the faster or simpler wins)";
      text += b.usd_per_million_images ? "" : "; no price is known";
      break;
    case Objective::fewest_gpus:
      text += fmt::format(" on {}, and nothing less does the job",
                          b.job.parallel.gpus == 1 ? "one GPU" : fmt::format("{} GPUs", b.job.parallel.gpus));
      break;
  }
  say(text + ".");
}

void Story::limits() {
  const Evaluated& b = best();
  if (request_.deadline && b.total) {
    say(fmt::format("The run takes {} of the {} allowed.", base::format_seconds(*b.total),
                    base::format_seconds(*request_.deadline)));
  }
  if (request_.max_cost && b.cost) {
    say(fmt::format("The run costs {} of the {} allowed.", base::format_usd(*b.cost),
                    base::format_usd(*request_.max_cost)));
  }
}

void Story::bound() {
  const auto& time = estimate_.time;
  const double step = time.iteration.value.count();
  const double exposed = time.communication_exposed.value.count();
  const double overhead = time.parallel_overhead.value.count();
  const bool by_gpu = time.bound_by == "gpu";
  std::string text =
      by_gpu ? fmt::format("The GPU bounds the step of {}, at {:.0f} % of its peak arithmetic",
                           base::format_seconds(time.iteration.value), 100 * time.model_flops_utilization)
             : fmt::format("The step of {} is bound by {}", base::format_seconds(time.iteration.value), time.bound_by);
  if (best().job.parallel.gpus > 1 && trains() && step > 0) {
    const bool gathers = best().job.parallel.sharding == job::Sharding::fsdp2;
    const std::string_view what = gathers ? "gathering parameters and averaging gradients" : "averaging the gradients";
    constexpr double kWorthSaying = 0.0005;
    text += exposed / step < kWorthSaying
                ? fmt::format("; computing hides {}, which", what)
                : fmt::format("; {} adds {:.1f} % that computing does not hide, and", what, 100 * exposed / step);
    text += fmt::format(" costs {:.1f} % for copies, slowed kernels and waiting for the slowest GPU",
                        100 * overhead / step);
  }
  say(text + ".");
  if (!by_gpu && estimate_.input.workers_needed > estimate_.input.workers && estimate_.input.workers > 0) {
    say(fmt::format("{} workers decode the images; {} would keep the GPUs busy.", estimate_.input.workers,
                    estimate_.input.workers_needed));
  }
}

void Story::larger_batches() {
  const Evaluated& b = best();
  const auto& limits = batch_limits_;
  if (!limits || limits->steady <= b.job.batch) {
    return;
  }
  const Variant largest = with([&](job::Job& job) { job.batch = limits->steady; });
  if (!largest.figures) {
    return;
  }
  const std::string before = base::format_bytes(b.reserved_peak);
  const std::string after = base::format_bytes(largest.memory->reserved_peak);
  if (const auto high = engine_.reserved_high(largest.figures->job, target_);
      high && *high > fit_.limit(largest.figures->job, target_)) {
    say(fmt::format("Up to batch {} may fit: it would reserve {}, but the upper end of its range, {}, is too much.",
                    limits->steady, after, base::format_bytes(*high)));
  } else {
    say(fmt::format("Up to batch {} fits; it would change the rate by {}{}.", limits->steady,
                    signed_percent(largest.figures->useful_images_per_second / b.useful_images_per_second),
                    before == after ? "" : fmt::format(" and raise the peak from {} to {}", before, after)));
  }
}

/// The smallest batch beyond those that fit; with a global batch, the next one that divides.
std::optional<std::int64_t> Story::next_larger_batch() const {
  const std::int64_t batch = best().job.batch;
  if (!request_.global_batch) {
    return std::max(batch_limits_ ? batch_limits_->steady : 0, batch) + 1;
  }
  PlanRequest open = request_;
  open.batch.reset();
  open.accumulation.reset();
  const auto choices = fixed_batches(open, best().job.parallel.gpus);
  const auto next = std::ranges::find_if(*choices, [&](const BatchChoice& choice) { return choice.batch > batch; });
  return next == choices->end() ? std::nullopt : std::optional(next->batch);
}

void Story::next_batch() {
  const auto batch = next_larger_batch();
  if (!batch) {
    return;
  }
  const Evaluated& b = best();
  const auto larger = [&](job::Job& job) {
    job.batch = *batch;
    if (request_.global_batch) {
      job.accumulation = *request_.global_batch / (*batch * job.parallel.gpus);
    }
  };
  const Variant next = with(larger);
  if (!next.memory || !next.figures) {
    return;
  }
  if (next.memory->verdict != Verdict::does_not_fit && !fit_.keeps_reserve(*next.memory)) {
    say(fmt::format("Batch {} would reserve {} and leave less free than --reserve asks for.", *batch,
                    base::format_bytes(next.memory->reserved_peak)));
    return;
  }
  switch (next.memory->verdict) {
    case Verdict::fits:
      say(fmt::format("Batch {} would reserve {} instead of {} and change the rate by {}.", *batch,
                      base::format_bytes(next.memory->reserved_peak), base::format_bytes(b.reserved_peak),
                      signed_percent(next.figures->images_per_second / b.images_per_second)));
      break;
    case Verdict::fits_with_cache_flushes:
      say(fmt::format("Batch {} would run only by flushing the allocator's cache {} a step.", *batch,
                      base::format_times(next.memory->cache_flushes_per_step)));
      break;
    case Verdict::does_not_fit:
      say(fmt::format("Batch {} does not fit: it would reserve {}, and {} are usable.", *batch,
                      base::format_bytes(without_limit(next.figures->job).reserved_peak),
                      base::format_bytes(next.memory->usable)));
      break;
  }
}

Story::Variant Story::on_gpus(std::int64_t gpus, std::int64_t batch) const {
  return with([&](job::Job& job) {
    job.batch = batch;
    job.parallel.gpus = gpus;
    job.parallel.nodes = nodes_of(request_, candidate_, gpus);
    if (request_.global_batch) {
      job.accumulation = std::max<std::int64_t>(1, *request_.global_batch / (batch * gpus));
    }
  });
}

/// Share of the GPUs' work that is left of what each would do alone.
std::optional<double> Story::scaling(std::int64_t batch) const {
  const std::int64_t n = best().job.parallel.gpus;
  const Variant one = on_gpus(1, batch);
  const Variant all = on_gpus(n, batch);
  if (!one.figures || !all.figures) {
    return std::nullopt;
  }
  return all.figures->images_per_second / one.figures->images_per_second / static_cast<double>(n);
}

void Story::gpus() {
  const std::int64_t n = best().job.parallel.gpus;
  const auto share = n > 1 ? scaling(best().job.batch) : std::nullopt;
  if (share) {
    say(fmt::format("{} GPUs do {:.2f} times the work of one ({:.0f} % scaling efficiency).", n,
                    *share * static_cast<double>(n), 100 * *share));
  }
}

/// Gradients are as large whatever the batch: the more images, the less of the step is communication.
void Story::batch_and_scaling() {
  const std::int64_t most = batch_limits_ ? batch_limits_->steady : best().job.batch;
  if (best().job.parallel.gpus == 1 || !trains() || request_.global_batch || most < 2) {
    return;
  }
  const auto small = scaling(1);
  const auto large = scaling(most);
  if (small && large && *large - *small >= 0.01) {
    say(
        fmt::format("At batch 1 per GPU the efficiency would be {:.0f} %, at batch {} {:.0f} %: every step exchanges "
                    "the same gradients, however many images it saw.",
                    100 * *small, most, 100 * *large));
  }
}

void Story::one_more_gpu() {
  const Evaluated& b = best();
  const std::int64_t more = b.job.parallel.gpus + 1;
  const bool divides = !request_.global_batch || *request_.global_batch % (b.job.batch * more) == 0;
  if (!divides || request_.nodes || more > request_.max_gpus.value_or(more) || more <= candidate_.gpus) {
    return;
  }
  const Variant next = on_gpus(more, b.job.batch);
  if (next.figures && fit_.fits(next.figures->job, target_)) {
    std::string text = fmt::format("One more GPU would bring {} ({})", rate(next.figures->images_per_second),
                                   signed_percent(next.figures->images_per_second / b.images_per_second));
    if (!request_.global_batch && trains()) {
      text += fmt::format(", at a global batch of {}", job::global_batch(next.figures->job));
    }
    say(text + ".");
  }
}

std::vector<std::string> reasons(const PlanRequest& request, const Contender& chosen,
                                 const estimate::Estimate& estimate, const std::optional<Limits>& limits,
                                 const estimate::Engine& engine) {
  return Story(request, chosen, estimate, limits, engine).tell();
}

}  // namespace vggplan::planner
