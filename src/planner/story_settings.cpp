// SPDX-License-Identifier: MIT
// What the chosen settings cost and change.
#include <fmt/format.h>

#include "story.hpp"
#include "vggplan/base/format.hpp"

namespace vggplan::planner {

using base::format_bytes;
using estimate::Verdict;

void Story::checkpointing() {
  if (!trains() || job_.checkpointing.kind == job::Checkpointing::Kind::sequential) {
    return;
  }
  const bool now = job_.checkpointing.kind == job::Checkpointing::Kind::block;
  const auto other = with([&](job::Job& job) {
    job.checkpointing = {now ? job::Checkpointing::Kind::none : job::Checkpointing::Kind::block, 0};
  });
  if (!other) {
    return;
  }
  const double longer =
      now ? best_.step.count() / other->figures.step.count() : other->figures.step.count() / best_.step.count();
  const std::string costs =
      fmt::format("make{} the step longer by {:.0f} %; {}", now ? "s" : "", 100 * (longer - 1),
                  job::normalizes_by_batch(job_) ? "running statistics of batch norm are updated twice"
                                                 : "the results stay the same");
  if (!now) {
    say("Checkpointing each block would lower the allocated peak from {} to {} and {}.", format_bytes(best_.run_peak),
        format_bytes(other->memory.run_peak), costs);
  } else if (other->memory.verdict == Verdict::does_not_fit) {
    say("Checkpointing makes room: without it this batch would reserve {}. It {}.",
        format_bytes(without_limit(*other).reserved_peak), costs);
  } else {
    say("Checkpointing lowers the allocated peak by {} and {}.", format_bytes(other->memory.run_peak - best_.run_peak),
        costs);
  }
}

void Story::sharding() {
  if (job_.parallel.sharding == job::Sharding::ddp || request_.sharding) {
    return;
  }
  const auto ddp = with([](job::Job& job) { job.parallel.sharding = job::Sharding::ddp; });
  if (!ddp) {
    return;
  }
  const char* spread = job_.parallel.sharding == job::Sharding::zero1 ? "the optimizer state"
                                                                      : "parameters, gradients and optimizer state";
  std::string text = fmt::format("{} spreads {} over the GPUs", base::name_of_enum(job_.parallel.sharding), spread);
  text += ddp->memory.verdict == Verdict::does_not_fit
              ? fmt::format(": under ddp this batch would reserve {}", format_bytes(without_limit(*ddp).reserved_peak))
              : fmt::format(": it reserves {} instead of {} under ddp", format_bytes(best_.reserved_peak),
                            format_bytes(ddp->memory.reserved_peak));
  say("{}; the step changes by {}, the results do not.", text,
      signed_percent(best_.step.count() / ddp->figures.step.count()));
}

void Story::precision() {
  if (!job::is_autocast(job_.precision) || request_.precision) {
    return;
  }
  const auto tf32 = with([&](job::Job& job) { job.precision = job::Precision::tf32; });
  if (!tf32) {
    return;
  }
  const std::string other = estimate_.target.gpu.tf32_tensor ? "tf32" : "float32";
  std::string text = fmt::format(
      "{} is {:.2f} times as fast as {} at the same batch, with {:.0f} % of its peak; {} in float32, products are "
      "rounded to 16 bits",
      base::name_of_enum(job_.precision), tf32->figures.step.count() / best_.step.count(), other,
      100 * best_.run_peak.as_double() / without_limit(*tf32).run_peak.as_double(),
      trains() ? "weights, gradients and optimizer stay" : "weights stay");
  if (job_.precision == job::Precision::amp_fp16 && trains()) {
    text += ", and the loss is scaled (this GPU has no bfloat16)";
  }
  say("{}.", text);
}

void Story::layout() {
  if (request_.layout) {
    return;
  }
  const bool last = job_.layout == base::Layout::nhwc;
  const auto other = with([&](job::Job& job) { job.layout = last ? base::Layout::nchw : base::Layout::nhwc; });
  if (!other) {
    return;
  }
  const bool fits = fit_.fits(other->figures.job, target_);
  say("{} instead would change the step by {} and reserve {} instead of {}{}; the results are the same.",
      last ? "The default layout (nchw)" : "channels_last (nhwc)",
      signed_percent(other->figures.step.count() / best_.step.count()),
      format_bytes(without_limit(*other).reserved_peak), format_bytes(best_.reserved_peak),
      fits ? "" : ", which does not fit");
}

void Story::batch_norm() {
  if (!job::normalizes_by_batch(job_)) {
    return;
  }
  std::string text = fmt::format("Batch norm takes its statistics over the {} image{} of a GPU's micro-batch",
                                 job_.batch, job_.batch == 1 ? "" : "s");
  if (job_.batch >= estimate::kSmallNormBatch) {
    text += request_.batch || request_.global_batch ? "" : "; of equally fast batches the largest is taken";
  } else if (job_.parallel.gpus > 1) {
    text += fmt::format(": fewer than {} hurt training; SyncBatchNorm would take them over {}",
                        estimate::kSmallNormBatch, job_.batch * job_.parallel.gpus);
  } else {
    text += fmt::format(": fewer than {} hurt training, and accumulation does not help", estimate::kSmallNormBatch);
  }
  say("{}.", text);
}

void Story::global_batch() {
  const std::int64_t global = job::global_batch(job_);
  if (trains() && !request_.global_batch && global > 1) {
    say("One optimizer step sees {} images; where training was tuned for another global batch, fix it with "
        "--global-batch, or scale the learning rate.",
        global);
  }
}

}  // namespace vggplan::planner
