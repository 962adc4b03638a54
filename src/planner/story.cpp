// SPDX-License-Identifier: MIT
#include "story.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "vggplan/base/format.hpp"

namespace vggplan::planner {
namespace {

using base::format_bytes;
using base::format_seconds;
using base::format_usd;
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
             std::optional<std::int64_t> largest_batch, const estimate::Engine& engine)
    : request_(request),
      best_(chosen.figures),
      job_(best_.job),
      estimate_(estimate),
      largest_batch_(largest_batch),
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

std::optional<Story::Variant> Story::with(const std::function<void(job::Job&)>& change) const {
  job::Job job = job_;
  change(job);
  if (job::validate(job)) {
    return std::nullopt;
  }
  const auto memory = engine_.memory(job, target_);
  const auto figures = memory ? evaluate(job, target_, *memory, engine_) : std::nullopt;
  return figures ? std::optional(Variant{*memory, *figures}) : std::nullopt;
}

estimate::MemoryAnswer Story::without_limit(const Variant& variant) const {
  const auto memory = engine_.memory(variant.figures.job, estimate::with_usable(target_, kMostMemory));
  return memory ? *memory : estimate::MemoryAnswer{};
}

void Story::objective() {
  std::string text = fmt::format("{} reaches {}", describe(job_, best_.gpu), rate(best_.images_per_second));
  switch (request_.objective) {
    case Objective::fastest:
      text += best_.total ? ", and no candidate ends sooner" : ", the most of all candidates";
      text += " (those within 1 % count as equal, and the simpler wins)";
      break;
    case Objective::cheapest:
      text += best_.usd_per_million_images
                  ? fmt::format(" at {} per million images", format_usd(*best_.usd_per_million_images))
                  : fmt::format(" at {:.1f} GPU-hours per million images", best_.gpu_hours_per_million_images);
      text += ", the least of all candidates (those within 1 % count as equal, and the faster or simpler wins)";
      text += best_.usd_per_million_images ? "" : "; no price is known";
      break;
    case Objective::fewest_gpus:
      text += fmt::format(" on {}, and nothing less does the job",
                          job_.parallel.gpus == 1 ? "one GPU" : fmt::format("{} GPUs", job_.parallel.gpus));
      break;
  }
  say("{}.", text);
}

void Story::limits() {
  if (request_.deadline) {
    say("The run takes {} of the {} allowed.", format_seconds(*best_.total), format_seconds(*request_.deadline));
  }
  if (request_.max_cost) {
    say("The run costs {} of the {} allowed.", format_usd(*best_.cost), format_usd(*request_.max_cost));
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
                           format_seconds(time.iteration.value), 100 * time.model_flops_utilization)
             : fmt::format("The step of {} is bound by {}", format_seconds(time.iteration.value), time.bound_by);
  if (job_.parallel.gpus > 1 && trains()) {
    const bool gathers = job_.parallel.sharding == job::Sharding::fsdp2;
    const std::string_view what = gathers ? "gathering parameters and averaging gradients" : "averaging the gradients";
    constexpr double kWorthSaying = 0.0005;
    text += exposed / step < kWorthSaying
                ? fmt::format("; computing hides {}, which", what)
                : fmt::format("; {} adds {:.1f} % that computing does not hide, and", what, 100 * exposed / step);
    text += fmt::format(" costs {:.1f} % for copies, slowed kernels and waiting for the slowest GPU",
                        100 * overhead / step);
  }
  say("{}.", text);
  if (!by_gpu && estimate_.input.workers_needed > estimate_.input.workers && estimate_.input.workers > 0) {
    say("{} workers decode the images; {} would keep the GPUs busy.", estimate_.input.workers,
        estimate_.input.workers_needed);
  }
}

void Story::larger_batches() {
  const std::int64_t most = largest_batch_.value_or(0);
  const auto largest = most > job_.batch ? with([&](job::Job& job) { job.batch = most; }) : std::nullopt;
  if (!largest) {
    return;
  }
  const std::string before = format_bytes(best_.reserved_peak);
  const std::string after = format_bytes(largest->memory.reserved_peak);
  if (const auto high = engine_.reserved_high(largest->figures.job, target_);
      high && *high > fit_.limit(largest->figures.job, target_)) {
    say("Up to batch {} may fit: it would reserve {}, but the upper end of its range, {}, is too much.", most, after,
        format_bytes(*high));
  } else {
    say("Up to batch {} fits; it would change the rate by {}{}.", most,
        signed_percent(largest->figures.useful_images_per_second / best_.useful_images_per_second),
        before == after ? "" : fmt::format(" and raise the peak from {} to {}", before, after));
  }
}

/// The smallest batch beyond those that fit; with a global batch, the next one that divides.
std::optional<std::int64_t> Story::next_larger_batch() const {
  const std::int64_t batch = job_.batch;
  if (!request_.global_batch) {
    return std::max(largest_batch_.value_or(batch), batch) + 1;
  }
  PlanRequest open = request_;
  open.batch.reset();
  open.accumulation.reset();
  const auto choices = fixed_batches(open, job_.parallel.gpus);
  const auto next = std::ranges::find_if(*choices, [&](const BatchChoice& choice) { return choice.batch > batch; });
  return next == choices->end() ? std::nullopt : std::optional(next->batch);
}

void Story::next_batch() {
  const auto batch = next_larger_batch();
  const auto next = batch ? on_gpus(job_.parallel.gpus, *batch) : std::nullopt;
  if (!next) {
    return;
  }
  if (next->memory.verdict != Verdict::does_not_fit && !fit_.keeps_reserve(next->memory)) {
    say("Batch {} would reserve {} and leave less free than --reserve asks for.", *batch,
        format_bytes(next->memory.reserved_peak));
    return;
  }
  switch (next->memory.verdict) {
    case Verdict::fits:
      say("Batch {} would reserve {} instead of {} and change the rate by {}.", *batch,
          format_bytes(next->memory.reserved_peak), format_bytes(best_.reserved_peak),
          signed_percent(next->figures.images_per_second / best_.images_per_second));
      break;
    case Verdict::fits_with_cache_flushes:
      say("Batch {} would run only by flushing the allocator's cache {} a step.", *batch,
          base::format_times(next->memory.cache_flushes_per_step));
      break;
    case Verdict::does_not_fit:
      say("Batch {} does not fit: it would reserve {}, and {} are usable.", *batch,
          format_bytes(without_limit(*next).reserved_peak), format_bytes(next->memory.usable));
      break;
  }
}

std::optional<Story::Variant> Story::on_gpus(std::int64_t gpus, std::int64_t batch) const {
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
  const std::int64_t n = job_.parallel.gpus;
  const auto one = on_gpus(1, batch);
  const auto all = on_gpus(n, batch);
  if (!one || !all) {
    return std::nullopt;
  }
  return all->figures.images_per_second / one->figures.images_per_second / static_cast<double>(n);
}

void Story::gpus() {
  const std::int64_t n = job_.parallel.gpus;
  if (const auto share = n > 1 ? scaling(job_.batch) : std::nullopt) {
    say("{} GPUs do {:.2f} times the work of one ({:.0f} % scaling efficiency).", n, *share * static_cast<double>(n),
        100 * *share);
  }
}

/// Gradients are as large whatever the batch: the more images, the less of the step is communication.
void Story::batch_and_scaling() {
  const std::int64_t most = largest_batch_.value_or(job_.batch);
  if (!trains() || request_.global_batch) {
    return;
  }
  const auto small = scaling(1);
  const auto large = scaling(most);
  if (small && large && *large - *small >= 0.01) {
    say("At batch 1 per GPU the efficiency would be {:.0f} %, at batch {} {:.0f} %: every step exchanges "
        "the same gradients, however many images it saw.",
        100 * *small, most, 100 * *large);
  }
}

void Story::one_more_gpu() {
  const std::int64_t more = job_.parallel.gpus + 1;
  const bool divides = !request_.global_batch || *request_.global_batch % (job_.batch * more) == 0;
  if (!divides || request_.nodes || more > request_.max_gpus.value_or(more) || more <= candidate_.gpus) {
    return;
  }
  const auto next = on_gpus(more, job_.batch);
  if (next && fit_.fits(next->figures.job, target_)) {
    std::string text = fmt::format("One more GPU would bring {} ({})", rate(next->figures.images_per_second),
                                   signed_percent(next->figures.images_per_second / best_.images_per_second));
    if (!request_.global_batch && trains()) {
      text += fmt::format(", at a global batch of {}", job::global_batch(next->figures.job));
    }
    say("{}.", text);
  }
}

}  // namespace vggplan::planner
