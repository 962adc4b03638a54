// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>

#include "reasons.hpp"

namespace vggplan::planner {
namespace {

std::string torchrun(const job::Job& job) {
  if (job.parallel.gpus == 1) {
    return "python train.py";
  }
  const std::int64_t each = job.parallel.gpus / std::max<std::int64_t>(1, job.parallel.nodes);
  if (job.parallel.nodes == 1) {
    return fmt::format("torchrun --standalone --nproc-per-node {} train.py", each);
  }
  return fmt::format(
      "torchrun --nnodes {} --nproc-per-node {} --rdzv-backend c10d --rdzv-endpoint $HEAD:29500 train.py",
      job.parallel.nodes, each);
}

void add_precision(const job::Job& job, std::vector<std::string>& code) {
  switch (job.precision) {
    case job::Precision::fp32: code.emplace_back("torch.backends.cudnn.allow_tf32 = False"); break;
    case job::Precision::tf32: break;
    case job::Precision::amp_bf16:
      code.emplace_back(
          "with torch.autocast(\"cuda\", dtype=torch.bfloat16): loss = criterion(model(images), targets)");
      break;
    case job::Precision::amp_fp16:
      code.emplace_back("with torch.autocast(\"cuda\", dtype=torch.float16): loss = criterion(model(images), targets)");
      code.emplace_back("scaler = torch.amp.GradScaler(\"cuda\")");
      break;
    case job::Precision::bf16:
      code.emplace_back("model = model.to(torch.bfloat16); images = images.to(torch.bfloat16)");
      break;
  }
}

void add_parallel(const job::Job& job, std::vector<std::string>& code) {
  if (job.parallel.gpus == 1) {
    return;
  }
  switch (job.parallel.sharding) {
    case job::Sharding::ddp:
      code.emplace_back("model = DistributedDataParallel(model, device_ids=[local_rank])");
      break;
    case job::Sharding::zero1:
      code.emplace_back("model = DistributedDataParallel(model, device_ids=[local_rank])");
      code.emplace_back("optimizer = ZeroRedundancyOptimizer(model.parameters(), optimizer_class=...)");
      break;
    case job::Sharding::fsdp2:
      code.emplace_back("for m in model.classifier: fully_shard(m) where it is a Linear; fully_shard(model)");
      break;
  }
}

}  // namespace

Launch launch_settings(const estimate::Estimate& estimate) {
  const job::Job& job = estimate.job;
  Launch launch;
  launch.gpu = estimate.target.gpu.name;
  launch.gpus = job.parallel.gpus;
  launch.nodes = job.parallel.nodes;
  launch.batch = job.batch;
  launch.accumulation = job.accumulation;
  launch.global_batch = job::global_batch(job);
  launch.precision = job.precision;
  launch.layout = job.layout;
  launch.checkpointing = job.checkpointing;
  launch.sharding = job.parallel.sharding;
  launch.workers = estimate.input.workers;
  launch.command = (job.expandable_segments ? "PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True " : "") + torchrun(job);
  const std::int64_t per_node =
      std::max<std::int64_t>(1, job.parallel.gpus / std::max<std::int64_t>(1, job.parallel.nodes));
  launch.code.push_back(fmt::format("loader = DataLoader(dataset, batch_size={}, num_workers={}, pin_memory=True)",
                                    job.batch, (launch.workers + per_node - 1) / per_node));
  if (job.layout == base::Layout::nhwc) {
    launch.code.emplace_back("model = model.to(memory_format=torch.channels_last); images likewise");
  }
  add_precision(job, launch.code);
  if (job.checkpointing.kind == job::Checkpointing::Kind::block) {
    launch.code.emplace_back(
        "wrap each block of convolutions up to its pool in torch.utils.checkpoint.checkpoint(block, x, "
        "use_reentrant=False)");
  } else if (job.checkpointing.kind == job::Checkpointing::Kind::sequential) {
    launch.code.push_back(fmt::format("checkpoint_sequential(model.features, {}, images, use_reentrant=False)",
                                      job.checkpointing.segments));
  }
  if (job.accumulation > 1) {
    launch.code.push_back(fmt::format("step the optimizer every {} micro-batches{}", job.accumulation,
                                      job.parallel.gpus > 1 ? ", the others under model.no_sync()" : ""));
  }
  add_parallel(job, launch.code);
  return launch;
}

}  // namespace vggplan::planner
