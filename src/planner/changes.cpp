// SPDX-License-Identifier: MIT
#include "changes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace vggplan::planner {
namespace {

/// Each GPU takes its part of the batch, or of what is accumulated where the batch does not divide.
void share_out(job::Job& job, std::int64_t gpus) {
  const std::int64_t of_batch = std::gcd(job.batch, gpus);
  job.batch /= of_batch;
  job.accumulation /= gpus / of_batch;
}

class Offers {
 public:
  Offers(const job::Job& job, const hardware::Gpu& gpu, std::int64_t most_gpus)
      : job_(job), gpu_(gpu), most_gpus_(most_gpus) {}

  std::vector<Change> list() {
    settings();
    smaller_batches();
    optimizers();
    more_gpus();
    return std::move(changes_);
  }

 private:
  void settings();
  void sharding();
  void more_gpus();
  void smaller_batches();
  void optimizers();

  void offer(std::string code, std::string text, std::string costs, bool changes_training,
             std::function<void(job::Job&)> edit) {
    Change change{std::move(code), std::move(text), std::move(costs), changes_training, job_, false, std::move(edit)};
    change.edit(change.job);
    change.more_hardware = change.job.parallel.gpus > job_.parallel.gpus;
    if (change.job != job_ && !job::validate(change.job)) {
      changes_.push_back(std::move(change));
    }
  }

  const job::Job& job_;
  const hardware::Gpu& gpu_;
  std::int64_t most_gpus_;
  std::vector<Change> changes_{};
};

void Offers::settings() {
  using job::Precision;
  const bool full = job_.precision == Precision::fp32 || job_.precision == Precision::tf32;
  const std::string rounding = "products are rounded to 16 bits; weights stay in float32";
  if (full && gpu_.bf16_tensor) {
    offer("precision", "use amp-bf16", rounding, false, [](job::Job& job) { job.precision = Precision::amp_bf16; });
  } else if (full && gpu_.fp16_tensor) {
    offer("precision", "use amp-fp16", rounding + " and the loss is scaled", false,
          [](job::Job& job) { job.precision = Precision::amp_fp16; });
  }
  if (job_.precision != Precision::bf16 && gpu_.bf16_tensor) {
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
  if (job_.mode == job::Mode::train && job_.parallel.gpus > 1) {
    sharding();
  }
  if (job_.head == graph::Head::flatten) {
    offer("head", "pool to 7x7 before the first Linear layer, as torchvision does", "changes the model", true,
          [](job::Job& job) { job.head = graph::Head::adaptive; });
    offer("head", "pool each channel to one value", "changes the model", true,
          [](job::Job& job) { job.head = graph::Head::gap; });
  }
}

void Offers::sharding() {
  offer("sharding", "spread the optimizer state over the GPUs (zero1)", "", false,
        [](job::Job& job) { job.parallel.sharding = job::Sharding::zero1; });
  offer("sharding", "spread parameters, gradients and optimizer state over the GPUs (fsdp2)", "", false,
        [](job::Job& job) { job.parallel.sharding = job::Sharding::fsdp2; });
  offer("bucket-view", "let gradients be views of DDP's buckets (gradient_as_bucket_view)", "", false,
        [](job::Job& job) { job.parallel.bucket_view = true; });
}

/// FSDP2 over more GPUs of one machine; the global batch stays where it divides.
void Offers::more_gpus() {
  if (job_.mode != job::Mode::train || job_.parallel.gpus > 1) {
    return;
  }
  for (std::int64_t gpus = 2; gpus <= std::min<std::int64_t>(most_gpus_, 8); gpus *= 2) {
    const bool shared = job_.batch * job_.accumulation % gpus == 0;
    offer("sharding", fmt::format("spread parameters, gradients and optimizer state over {} GPUs (fsdp2)", gpus),
          shared ? fmt::format("{} GPUs", gpus)
                 : fmt::format("{} GPUs; changes training: a global batch of {}", gpus, gpus * job::global_batch(job_)),
          !shared, [gpus, shared](job::Job& job) {
            job.parallel.gpus = gpus;
            job.parallel.sharding = job::Sharding::fsdp2;
            if (shared) {
              share_out(job, gpus);
            }
          });
  }
}

void Offers::optimizers() {
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

/// Micro-batches of the batch's divisors, the largest first: what they leave is accumulated.
void Offers::smaller_batches() {
  for (const std::int64_t parts : divisors(job_.batch)) {
    const bool train = job_.mode == job::Mode::train;
    const std::string text = train ? fmt::format("micro-batches of {}, {} accumulated for one optimizer step",
                                                 job_.batch / parts, job_.accumulation * parts)
                                   : fmt::format("batches of {}", job_.batch / parts);
    offer("smaller-batch", text, job_.model.batch_norm ? "batch norm sees fewer images at a time" : "",
          train && job_.model.batch_norm, [parts, train](job::Job& job) {
            job.batch /= parts;
            job.accumulation *= train ? parts : 1;
          });
  }
}

}  // namespace

std::vector<Change> possible_changes(const job::Job& job, const hardware::Gpu& gpu, std::int64_t most_gpus) {
  return Offers(job, gpu, most_gpus).list();
}

}  // namespace vggplan::planner
