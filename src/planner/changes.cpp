// SPDX-License-Identifier: MIT
#include "changes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "space.hpp"

namespace vggplan::planner {
namespace {

/// Each GPU takes its part of the batch, or of what is accumulated where the batch does not divide.
void share_out(job::Job& job, std::int64_t gpus) {
  const std::int64_t of_batch = std::gcd(job.batch, gpus);
  job.batch /= of_batch;
  job.accumulation /= gpus / of_batch;
}

constexpr const char* kFewerImages = "batch norm sees fewer images at a time";

using Edit = std::function<void(job::Job&)>;

template <class T>
Edit set(T job::Job::*setting, T value) {
  return [=](job::Job& job) { job.*setting = value; };
}
template <class T>
Edit set(T job::Parallel::*setting, T value) {
  return [=](job::Job& job) { job.parallel.*setting = value; };
}

class Offers {
 public:
  explicit Offers(const job::Job& job) : job_(job), train_(job.mode == job::Mode::train) {}

  std::vector<Change> list(const hardware::Gpu& gpu, std::int64_t most_gpus) {
    precision(gpu);
    layout();
    if (train_) {
      checkpointing();
    }
    if (train_ && job_.parallel.gpus > 1) {
      sharding();
    }
    head();
    smaller_batches();
    if (train_) {
      optimizers();
    }
    if (train_ && job_.parallel.gpus == 1) {
      more_gpus(std::min<std::int64_t>(most_gpus, 8));
    }
    return std::move(changes_);
  }

 private:
  void offer(const std::string& code, const std::string& text, const Edit& edit, const std::string& costs = "",
             bool changes_training = false) {
    Remedy remedy{.code = code, .change = text, .costs = costs, .changes_training = changes_training, .job = job_};
    edit(remedy.job);
    remedy.more_hardware = remedy.job.parallel.gpus > job_.parallel.gpus;
    if (remedy.job != job_ && !job::validate(remedy.job)) {
      changes_.push_back({std::move(remedy), edit});
    }
  }

  void precision(const hardware::Gpu& gpu) {
    using job::Precision;
    const bool full = job_.precision == Precision::fp32 || job_.precision == Precision::tf32;
    const std::string rounding = "products are rounded to 16 bits; weights stay in float32";
    const auto use = [](Precision precision) { return set(&job::Job::precision, precision); };
    if (full && gpu.bf16_tensor) {
      offer("precision", "use amp-bf16", use(Precision::amp_bf16), rounding);
    } else if (full && gpu.fp16_tensor) {
      offer("precision", "use amp-fp16", use(Precision::amp_fp16), rounding + " and the loss is scaled");
    }
    if (gpu.bf16_tensor) {
      offer("pure-bf16", "keep weights and images in bfloat16", use(Precision::bf16),
            "changes training: weights and optimizer state have 8 bits of precision", true);
    }
  }

  void layout() {
    offer("layout", "use channels_last (nhwc)", set(&job::Job::layout, base::Layout::nhwc));
    offer("expandable-segments", "set PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True",
          set(&job::Job::expandable_segments, true));
  }

  void checkpointing() {
    using job::Checkpointing;
    const auto use = [](Checkpointing how) { return set(&job::Job::checkpointing, how); };
    offer("checkpointing", "checkpoint each block", use({Checkpointing::Kind::block, 0}));
    for (const std::int64_t n : {2, 3, 4}) {
      offer("checkpointing", fmt::format("checkpoint_sequential with {} segments", n),
            use({Checkpointing::Kind::sequential, n}));
    }
  }

  void sharding() {
    const auto use = [](job::Sharding sharding) { return set(&job::Parallel::sharding, sharding); };
    offer("sharding", "spread the optimizer state over the GPUs (zero1)", use(job::Sharding::zero1));
    offer("sharding", "spread parameters, gradients and optimizer state over the GPUs (fsdp2)",
          use(job::Sharding::fsdp2));
    offer("bucket-view", "let gradients be views of DDP's buckets (gradient_as_bucket_view)",
          set(&job::Parallel::bucket_view, true));
  }

  void head() {
    if (job_.head == graph::Head::flatten) {
      const auto use = [](graph::Head head) { return set(&job::Job::head, head); };
      offer("head", "pool to 7x7 before the first Linear layer, as torchvision does", use(graph::Head::adaptive),
            "changes the model", true);
      offer("head", "pool each channel to one value", use(graph::Head::gap), "changes the model", true);
    }
  }

  /// Micro-batches of the batch's divisors, the largest first: what they leave is accumulated.
  void smaller_batches() {
    for (const std::int64_t parts : divisors(job_.batch)) {
      const auto edit = [parts, train = train_](job::Job& job) {
        job.batch /= parts;
        job.accumulation *= train ? parts : 1;
      };
      const std::string text = train_ ? fmt::format("micro-batches of {}, {} accumulated for one optimizer step",
                                                    job_.batch / parts, job_.accumulation * parts)
                                      : fmt::format("batches of {}", job_.batch / parts);
      offer("smaller-batch", text, edit, normalizes_by_batch(job_) ? kFewerImages : "", normalizes_by_batch(job_));
    }
  }

  void optimizers() {
    using job::Optimizer;
    offer("optimizer-impl", "use the fused optimizer", set(&job::Job::optimizer_impl, job::OptimizerImpl::fused));
    if (job_.optimizer == Optimizer::lbfgs) {
      for (const std::int64_t pairs : {10, 3}) {
        if (pairs < job_.lbfgs.history_size) {
          offer(
              "history-size", fmt::format("keep {} pairs of vectors (--history-size {})", pairs, pairs),
              [pairs](job::Job& job) { job.lbfgs.history_size = pairs; },
              fmt::format("changes training: {} pairs instead of {}", pairs, job_.lbfgs.history_size), true);
        }
      }
    }
    if (job_.optimizer == Optimizer::adam || job_.optimizer == Optimizer::adamw) {
      offer("optimizer", "train with momentum", set(&job::Job::optimizer, Optimizer::momentum),
            "changes training: one state per parameter instead of two", true);
    }
    offer("optimizer", "train with plain SGD", set(&job::Job::optimizer, Optimizer::sgd), "changes training: no state",
          true);
  }

  /// FSDP2 over more GPUs of one machine; the global batch stays where it divides.
  void more_gpus(std::int64_t most) {
    for (std::int64_t gpus = 2; gpus <= most; gpus *= 2) {
      const bool shared = job_.batch * job_.accumulation % gpus == 0;
      const auto edit = [gpus, shared](job::Job& job) {
        job.parallel.gpus = gpus;
        job.parallel.sharding = job::Sharding::fsdp2;
        if (shared) {
          share_out(job, gpus);
        }
      };
      const bool fewer = shared && normalizes_by_batch(job_) && std::gcd(job_.batch, gpus) > 1;
      const std::string more = fmt::format("{} GPUs", gpus);
      const std::string costs =
          fewer    ? fmt::format("{}; {}", more, kFewerImages)
          : shared ? more
                   : fmt::format("{}; changes training: a global batch of {}", more, gpus * job::global_batch(job_));
      offer("sharding", fmt::format("spread parameters, gradients and optimizer state over {} (fsdp2)", more), edit,
            costs, fewer || !shared);
    }
  }

  const job::Job& job_;
  bool train_;
  std::vector<Change> changes_{};
};

}  // namespace

std::vector<Change> possible_changes(const job::Job& job, const hardware::Gpu& gpu, std::int64_t most_gpus) {
  return Offers(job).list(gpu, most_gpus);
}

}  // namespace vggplan::planner
