// SPDX-License-Identifier: MIT
// What the chosen settings cost and change.
#include <fmt/format.h>

#include "story.hpp"
#include "vggplan/base/format.hpp"

namespace vggplan::planner {

using estimate::Verdict;

void Story::checkpointing() {
  const Evaluated& b = best();
  if (!trains() || b.job.checkpointing.kind == job::Checkpointing::Kind::sequential) {
    return;
  }
  const bool now = b.job.checkpointing.kind == job::Checkpointing::Kind::block;
  const Variant other = with([&](job::Job& job) {
    job.checkpointing = {now ? job::Checkpointing::Kind::none : job::Checkpointing::Kind::block, 0};
  });
  if (!other.memory || !other.figures) {
    return;
  }
  const double longer =
      now ? b.step.count() / other.figures->step.count() : other.figures->step.count() / b.step.count();
  const std::string costs = fmt::format(
      "make{} the step longer by {:.0f} %; {}", now ? "s" : "", 100 * (longer - 1),
      b.job.model.batch_norm ? "running statistics of batch norm are updated twice" : "the results stay the same");
  if (!now) {
    say(fmt::format("Checkpointing each block would lower the allocated peak from {} to {} and {}.",
                    base::format_bytes(b.run_peak), base::format_bytes(other.memory->run_peak), costs));
  } else if (other.memory->verdict == Verdict::does_not_fit) {
    say(fmt::format("Checkpointing makes room: without it this batch would reserve {}. It {}.",
                    base::format_bytes(without_limit(other.figures->job).reserved_peak), costs));
  } else {
    say(fmt::format("Checkpointing lowers the allocated peak by {} and {}.",
                    base::format_bytes(other.memory->run_peak - b.run_peak), costs));
  }
}

void Story::sharding() {
  const Evaluated& b = best();
  if (b.job.parallel.gpus == 1 || b.job.parallel.sharding == job::Sharding::ddp || request_.sharding) {
    return;
  }
  const Variant ddp = with([](job::Job& job) { job.parallel.sharding = job::Sharding::ddp; });
  if (!ddp.memory || !ddp.figures) {
    return;
  }
  const char* spread = b.job.parallel.sharding == job::Sharding::zero1 ? "the optimizer state"
                                                                       : "parameters, gradients and optimizer state";
  std::string text = fmt::format("{} spreads {} over the GPUs", base::name_of_enum(b.job.parallel.sharding), spread);
  text += ddp.memory->verdict == Verdict::does_not_fit
              ? fmt::format(": under ddp this batch would reserve {}",
                            base::format_bytes(without_limit(ddp.figures->job).reserved_peak))
              : fmt::format(": it reserves {} instead of {} under ddp", base::format_bytes(b.reserved_peak),
                            base::format_bytes(ddp.memory->reserved_peak));
  say(text + fmt::format("; the step changes by {}, the results do not.",
                         signed_percent(b.step.count() / ddp.figures->step.count())));
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
  const std::string other = estimate_.target.gpu.tf32_tensor ? "tf32" : "float32";
  std::string text = fmt::format(
      "{} is {:.2f} times as fast as {} at the same batch, with {:.0f} % of its peak; {} in float32, products are "
      "rounded "
      "to 16 bits",
      base::name_of_enum(b.job.precision), tf32.figures->step.count() / b.step.count(), other,
      100 * b.run_peak.as_double() / without_limit(tf32.figures->job).run_peak.as_double(),
      trains() ? "weights, gradients and optimizer stay" : "weights stay");
  if (b.job.precision == job::Precision::amp_fp16 && trains()) {
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
  const bool fits = fit_.fits(other.figures->job, target_);
  say(fmt::format("{} instead would change the step by {} and reserve {} instead of {}{}; the results are the same.",
                  last ? "The default layout (nchw)" : "channels_last (nhwc)",
                  signed_percent(other.figures->step.count() / b.step.count()),
                  base::format_bytes(without_limit(other.figures->job).reserved_peak),
                  base::format_bytes(b.reserved_peak), fits ? "" : ", which does not fit"));
}

void Story::batch_norm() {
  const job::Job& job = best().job;
  if (!job.model.batch_norm || !trains()) {
    return;
  }
  std::string text = fmt::format("Batch norm takes its statistics over the {} image{} of a GPU's micro-batch",
                                 job.batch, job.batch == 1 ? "" : "s");
  if (job.batch >= estimate::kSmallNormBatch) {
    text += request_.batch || request_.global_batch ? "" : "; of equally fast batches the largest is taken";
  } else if (job.parallel.gpus > 1) {
    text += fmt::format(": fewer than {} hurt training; SyncBatchNorm would take them over {}",
                        estimate::kSmallNormBatch, job.batch * job.parallel.gpus);
  } else {
    text += fmt::format(": fewer than {} hurt training, and accumulation does not help", estimate::kSmallNormBatch);
  }
  say(text + ".");
}

void Story::global_batch() {
  const job::Job& job = best().job;
  const std::int64_t global = job::global_batch(job);
  if (trains() && !request_.global_batch && global > 1) {
    say(
        fmt::format("One optimizer step sees {} images; where training was tuned for another global batch, fix it with "
                    "--global-batch, or scale the learning rate.",
                    global));
  }
}

}  // namespace vggplan::planner
