// SPDX-License-Identifier: MIT
#include "reasons.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "vggplan/base/format.hpp"

namespace vggplan::planner {
namespace {

using estimate::Verdict;

/// "+28 %", "-3.1 %".
std::string signed_percent(double ratio) {
  const double percent = (ratio - 1) * 100;
  return fmt::format("{:+.{}f} %", percent, std::abs(percent) < 9.95 ? 1 : 0);
}

std::string rate(double images_per_second) {
  const int digits = images_per_second < 9.95 ? 2 : images_per_second < 99.5 ? 1 : 0;
  return fmt::format("{:.{}f} images/s", images_per_second, digits);
}

/// What the sentences are made from: the chosen job, and the same job with something changed.
class Story {
 public:
  Story(const PlanRequest& request, const Search& found, const Contender& chosen, const estimate::Estimate& estimate,
        const estimate::Engine& engine)
      : request_(request),
        found_(found),
        chosen_(chosen),
        estimate_(estimate),
        engine_(engine),
        candidate_(request.candidates[chosen.candidate]),
        target_(limited_target(request, candidate_)) {}

  std::vector<std::string> tell() {
    objective();
    bound();
    next_batch();
    gpus();
    checkpointing();
    precision();
    layout();
    global_batch();
    return std::move(sentences_);
  }

 private:
  struct Variant {
    std::optional<estimate::MemoryAnswer> memory{};
    std::optional<Evaluated> figures{};
    [[nodiscard]] bool fits() const { return memory && memory->verdict == Verdict::fits && figures; }
  };

  [[nodiscard]] const Evaluated& best() const { return chosen_.figures; }
  void say(std::string sentence) { sentences_.push_back(std::move(sentence)); }

  /// The job with a change; its time is modelled even where its memory does not fit.
  template <class Change>
  Variant with(Change change) const {
    job::Job job = best().job;
    change(job);
    Variant variant;
    if (job::validate(job)) {
      return variant;
    }
    if (const auto memory = engine_.memory(job, target_)) {
      variant.memory = *memory;
      variant.figures = evaluate(job, target_, *memory, engine_);
    }
    return variant;
  }

  void objective();
  void bound();
  void next_batch();
  void gpus();
  void checkpointing();
  void precision();
  void layout();
  void global_batch();

  const PlanRequest& request_;
  const Search& found_;
  const Contender& chosen_;
  const estimate::Estimate& estimate_;
  const estimate::Engine& engine_;
  const Candidate& candidate_;
  estimate::Target target_;
  std::vector<std::string> sentences_{};
};

void Story::objective() {
  const Evaluated& b = best();
  std::string text = fmt::format("{} reaches {}", describe(b.job, b.gpu), rate(b.images_per_second));
  switch (request_.objective) {
    case Objective::fastest:
      text += ", the most of all candidates (those within 1 % count as equal, and the simpler wins)";
      break;
    case Objective::cheapest:
      text +=
          b.usd_per_million_images
              ? fmt::format(" at {} per million images, the least of all candidates",
                            base::format_usd(*b.usd_per_million_images))
              : fmt::format(" at {:.1f} GPU-hours per million images, the least of all candidates; no price is known",
                            b.gpu_hours_per_million_images);
      break;
    case Objective::fewest_gpus:
      text += fmt::format(" on {}, and nothing less does the job",
                          b.job.parallel.gpus == 1 ? "one GPU" : fmt::format("{} GPUs", b.job.parallel.gpus));
      break;
  }
  say(text + ".");
}

void Story::bound() {
  const auto& time = estimate_.time;
  const double step = time.step.value.count();
  const double exposed = time.communication_exposed.value.count();
  const bool by_gpu = time.bound_by == "gpu";
  std::string text =
      by_gpu ? fmt::format("The GPU bounds the step of {}, at {:.0f} % of its peak arithmetic",
                           base::format_seconds(time.step.value), 100 * time.model_flops_utilization)
             : fmt::format("The step of {} is bound by {}", base::format_seconds(time.step.value), time.bound_by);
  if (best().job.parallel.gpus > 1 && step > 0) {
    text += fmt::format("; averaging the gradients adds {:.1f} % that the backward pass does not hide",
                        100 * exposed / step);
  }
  say(text + ".");
  if (!by_gpu && estimate_.input.workers_needed > estimate_.input.workers && estimate_.input.workers > 0) {
    say(fmt::format("{} workers decode the images; {} would keep the GPUs busy.", estimate_.input.workers,
                    estimate_.input.workers_needed));
  }
}

void Story::next_batch() {
  const Evaluated& b = best();
  const auto limits = found_.groups[chosen_.group].limits;
  const auto need = [&](std::int64_t batch) {
    const Variant next = with([&](job::Job& job) { job.batch = batch; });
    if (!next.memory || next.memory->verdict == Verdict::fits) {
      return;
    }
    if (next.memory->verdict == Verdict::fits_with_cache_flushes) {
      say(fmt::format("Batch {} would run only by flushing the allocator's cache {} times a step.", batch,
                      next.memory->cache_flushes_per_step));
    } else {
      say(fmt::format("Batch {} would need {} more than the {} that are usable.", batch,
                      base::format_bytes(next.memory->missing), base::format_bytes(target_.usable)));
    }
  };
  if (!limits) {
    return need(b.job.batch + 1);
  }
  if (limits->steady > b.job.batch) {
    const Variant largest = with([&](job::Job& job) { job.batch = limits->steady; });
    if (largest.figures) {
      say(fmt::format("Up to batch {} fits; it would change the rate by {} and raise the peak from {} to {}.",
                      limits->steady, signed_percent(largest.figures->images_per_second / b.images_per_second),
                      base::format_bytes(b.reserved_peak), base::format_bytes(largest.memory->reserved_peak)));
    }
  }
  need(std::max(limits->steady, b.job.batch) + 1);
}

void Story::gpus() {
  const Evaluated& b = best();
  const std::int64_t n = b.job.parallel.gpus;
  const auto at = [&](std::int64_t gpus) {
    return with([&](job::Job& job) {
      job.parallel.gpus = gpus;
      job.parallel.nodes = (gpus + candidate_.per_node - 1) / std::max<std::int64_t>(1, candidate_.per_node);
      if (request_.global_batch) {
        job.accumulation = std::max<std::int64_t>(1, *request_.global_batch / (job.batch * gpus));
      }
    });
  };
  if (n > 1) {
    const Variant one = at(1);
    if (one.figures) {
      const double speedup = b.images_per_second / one.figures->images_per_second;
      say(fmt::format("{} GPUs do {:.2f} times the work of one ({:.0f} % scaling efficiency).", n, speedup,
                      100 * speedup / static_cast<double>(n)));
    }
  }
  const bool divides = !request_.global_batch || *request_.global_batch % (b.job.batch * (n + 1)) == 0;
  const Variant more = divides ? at(n + 1) : Variant{};
  if (more.fits()) {
    std::string text = fmt::format("One more GPU would bring {} ({})", rate(more.figures->images_per_second),
                                   signed_percent(more.figures->images_per_second / b.images_per_second));
    if (!request_.global_batch) {
      text += fmt::format(", at a global batch of {}", job::global_batch(more.figures->job));
    }
    say(text + ".");
  }
}

void Story::checkpointing() {
  const Evaluated& b = best();
  if (b.job.mode != job::Mode::train || b.job.checkpointing.kind == job::Checkpointing::Kind::sequential) {
    return;
  }
  const bool now = b.job.checkpointing.kind == job::Checkpointing::Kind::block;
  const Variant other = with([&](job::Job& job) {
    job.checkpointing = {now ? job::Checkpointing::Kind::none : job::Checkpointing::Kind::block, 0};
  });
  if (!other.memory || !other.figures) {
    return;
  }
  const double ratio = other.figures->step.count() / b.step.count();
  if (!now) {
    say(fmt::format(
        "Checkpointing each block would lower the allocated peak from {} to {} and make the step longer by {:.0f} %.",
        base::format_bytes(b.allocated_peak), base::format_bytes(other.memory->allocated_peak), 100 * (ratio - 1)));
  } else if (other.memory->verdict == Verdict::does_not_fit) {
    say(fmt::format(
        "Checkpointing makes room: without it this batch is {} short. It makes the step longer by {:.0f} %.",
        base::format_bytes(other.memory->missing), 100 * (1 / ratio - 1)));
  } else {
    say(fmt::format("Checkpointing lowers the peak by {} and makes the step longer by {:.0f} %.",
                    base::format_bytes(other.memory->allocated_peak - b.allocated_peak), 100 * (1 / ratio - 1)));
  }
}

void Story::precision() {
  const Evaluated& b = best();
  if (!job::is_autocast(b.job.precision) || request_.precision) {
    return;
  }
  const Variant tf32 = with([&](job::Job& job) { job.precision = job::Precision::tf32; });
  if (!tf32.memory || !tf32.figures) {
    return;
  }
  std::string text = fmt::format(
      "{} is {:.2f} times as fast as tf32 at the same batch and its peak is {:.0f} % of tf32's; weights, "
      "gradients and optimizer stay in float32, products are rounded to 16 bits",
      base::name_of_enum(b.job.precision), tf32.figures->step.count() / b.step.count(),
      100 * b.allocated_peak.as_double() / tf32.memory->allocated_peak.as_double());
  if (b.job.precision == job::Precision::amp_fp16) {
    text += ", and the loss is scaled (this GPU has no bfloat16)";
  }
  say(text + ".");
}

void Story::layout() {
  const Evaluated& b = best();
  if (request_.layout) {
    return;
  }
  const bool last = b.job.layout == base::Layout::nhwc;
  const Variant other = with([&](job::Job& job) { job.layout = last ? base::Layout::nchw : base::Layout::nhwc; });
  if (!other.memory || !other.figures) {
    return;
  }
  say(fmt::format("{} instead would change the step by {} and reserve {} instead of {}; the results are the same.",
                  last ? "The default layout (nchw)" : "channels_last (nhwc)",
                  signed_percent(other.figures->step.count() / b.step.count()),
                  base::format_bytes(other.memory->reserved_peak), base::format_bytes(b.reserved_peak)));
}

void Story::global_batch() {
  const job::Job& job = best().job;
  const std::int64_t global = job::global_batch(job);
  if (job.mode != job::Mode::train) {
    return;
  }
  if (!request_.global_batch && global > 1) {
    say(
        fmt::format("One optimizer step sees {} images; where training was tuned for another global batch, fix it with "
                    "--global-batch, or scale the learning rate.",
                    global));
  }
}

}  // namespace

std::vector<std::string> reasons(const PlanRequest& request, const Search& found, const Contender& chosen,
                                 const estimate::Estimate& estimate, const estimate::Engine& engine) {
  return Story(request, found, chosen, estimate, engine).tell();
}

}  // namespace vggplan::planner
