// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>

#include "explain.hpp"

namespace vggplan::planner {
namespace {

std::int64_t gpus_of_machine(const job::Job& job) {
  return std::max<std::int64_t>(1, job.parallel.gpus / std::max<std::int64_t>(1, job.parallel.nodes));
}

std::string torchrun(const job::Job& job) {
  if (job.parallel.gpus == 1) {
    return "python train.py";
  }
  const std::int64_t each = gpus_of_machine(job);
  if (job.parallel.nodes == 1) {
    return fmt::format("torchrun --standalone --nproc-per-node {} train.py", each);
  }
  return fmt::format(
      "torchrun --nnodes {} --nproc-per-node {} --rdzv-backend c10d --rdzv-endpoint $HEAD:29500 train.py",
      job.parallel.nodes, each);
}

using Code = std::vector<std::string>;

/// What a step computes, under the precision's contexts.
void add_step(const job::Job& job, Code& code) {
  const bool trains = job.mode == job::Mode::train;
  std::string contexts = trains ? "" : "torch.inference_mode()";
  if (job::is_autocast(job.precision)) {
    contexts += fmt::format("{}torch.autocast(\"cuda\", dtype=torch.{})", trains ? "" : ", ",
                            job.precision == job::Precision::amp_fp16 ? "float16" : "bfloat16");
  }
  if (!contexts.empty()) {
    code.push_back(fmt::format("with {}:", contexts));
    code.emplace_back(trains ? "    loss = criterion(model(images), targets)" : "    output = model(images)");
  }
  if (trains && job.precision == job::Precision::amp_fp16) {
    code.emplace_back("scaler = torch.amp.GradScaler(\"cuda\")");
  }
}

/// Configs and docs call momentum what PyTorch calls SGD.
void add_optimizer(const job::Job& job, Code& code) {
  std::string name = "SGD";
  std::string arguments;
  switch (job.optimizer) {
    case job::Optimizer::momentum: arguments = ", momentum=0.9, weight_decay=5e-4"; break;
    case job::Optimizer::sgd: break;
    case job::Optimizer::adam: name = "Adam"; break;
    case job::Optimizer::adamw: name = "AdamW"; break;
  }
  switch (job.optimizer_impl) {
    case job::OptimizerImpl::foreach: break;  // the default
    case job::OptimizerImpl::fused: arguments += ", fused=True"; break;
    case job::OptimizerImpl::loop: arguments += ", foreach=False"; break;
  }
  const bool spread = job.parallel.gpus > 1 && job.parallel.sharding == job::Sharding::zero1;
  code.push_back(spread
                     ? fmt::format("optimizer = ZeroRedundancyOptimizer(model.parameters(), torch.optim.{}, lr=lr{})",
                                   name, arguments)
                     : fmt::format("optimizer = torch.optim.{}(model.parameters(), lr=lr{})", name, arguments));
}

void add_parallel(const job::Job& job, Code& code) {
  if (job.parallel.gpus == 1) {
    return;
  }
  if (job.parallel.sharding == job::Sharding::fsdp2) {
    code.emplace_back("for m in model.classifier: fully_shard(m) where it is a Linear; fully_shard(model)");
    return;
  }
  const job::Parallel usual;
  const std::string bucket =
      job.parallel.bucket == usual.bucket
          ? ""
          : fmt::format(", bucket_cap_mb={:g}", job.parallel.bucket.as_double() / base::kMiB.as_double());
  code.push_back(fmt::format("model = DistributedDataParallel(model, device_ids=[local_rank]{}{})", bucket,
                             job.parallel.bucket_view ? ", gradient_as_bucket_view=True" : ""));
}

void add_checkpointing(const job::Job& job, Code& code) {
  const bool vgg = job.model.architecture == graph::kVgg && !job.model.own;
  const std::string_view call = "x = torch.utils.checkpoint.checkpoint(block, x, use_reentrant=False)";
  switch (job.checkpointing.kind) {
    case job::Checkpointing::Kind::none: return;
    case job::Checkpointing::Kind::block:
      code.emplace_back(call);
      code.emplace_back(vgg ? "    for each block of convolutions up to its pool"
                            : "    for each residual or dense block, and chain between");
      return;
    case job::Checkpointing::Kind::sequential:
      if (vgg) {
        code.push_back(fmt::format("checkpoint_sequential(model.features, {}, images, use_reentrant=False)",
                                   job.checkpointing.segments));
      } else {
        code.emplace_back(call);
        code.push_back(
            fmt::format("    for all but the last of {} parts of about equal length", job.checkpointing.segments));
      }
  }
}

void add_training(const job::Job& job, Code& code) {
  add_checkpointing(job, code);
  if (job.accumulation > 1) {
    code.push_back(fmt::format("step the optimizer every {} micro-batches{}", job.accumulation,
                               job.parallel.gpus > 1 ? ", the others under model.no_sync()" : ""));
  }
  add_parallel(job, code);
  add_optimizer(job, code);
}

}  // namespace

Launch launch_settings(const estimate::Estimate& estimate) {
  const job::Job& job = estimate.job;
  Launch launch{.gpu = estimate.target.gpu.name,
                .gpus = job.parallel.gpus,
                .nodes = job.parallel.nodes,
                .batch = job.batch,
                .accumulation = job.accumulation,
                .global_batch = job::global_batch(job),
                .precision = job.precision,
                .layout = job.layout,
                .checkpointing = job.checkpointing,
                .sharding = job.parallel.sharding,
                .workers = estimate.input.workers};
  launch.command = (job.expandable_segments ? "PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True " : "") + torchrun(job);
  Code& code = launch.code;
  code.push_back(fmt::format("loader = DataLoader(dataset, batch_size={}, num_workers={}, pin_memory=True)", job.batch,
                             launch.workers / gpus_of_machine(job)));
  const std::pair<bool, const char*> settings[] = {
      {job.cudnn_benchmark, "torch.backends.cudnn.benchmark = True"},
      {job.precision == job::Precision::fp32, "torch.backends.cudnn.allow_tf32 = False"},
      {job.layout == base::Layout::nhwc, "model = model.to(memory_format=torch.channels_last); images likewise"},
      {job.precision == job::Precision::bf16, "model = model.to(torch.bfloat16); images = images.to(torch.bfloat16)"}};
  for (const auto& [differs, line] : settings) {
    if (differs) {
      code.emplace_back(line);
    }
  }
  if (job.mode == job::Mode::train) {
    add_training(job, code);
  }
  add_step(job, code);
  return launch;
}

}  // namespace vggplan::planner
