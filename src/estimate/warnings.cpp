// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "estimate/memory_range.hpp"
#include "estimate/parts.hpp"
#include "vggplan/base/checked.hpp"
#include "vggplan/base/format.hpp"

namespace vggplan::estimate {

namespace {

constexpr std::int64_t kInt32Elements = 2147483648;

using Warnings = std::vector<Warning>;

void add_memory_warnings(const Estimate& estimate, const lowering::Framework& framework, Warnings& warnings) {
  const Memory& memory = estimate.memory;
  if (memory.verdict == Verdict::fits_with_cache_flushes) {
    const std::string slower = framework.observed.flush_slowdown
                                   ? fmt::format(", which was measured to make steps up to {:.0f} times slower",
                                                 *framework.observed.flush_slowdown)
                                   : "";
    warnings.push_back({"cache-flushes",
                        fmt::format("it runs only by emptying the allocator's cache {} a step{}; the times here do not "
                                    "contain that",
                                    base::format_times(memory.cache_flushes_per_step), slower),
                        "take a smaller batch, or --expandable-segments"});
  }
  if (memory.verdict != Verdict::does_not_fit && memory.reserved_peak.high > memory.usable) {
    warnings.push_back({"high-end-does-not-fit",
                        fmt::format("the upper end of the range, {}, is more than the {} that are usable",
                                    base::format_bytes(memory.reserved_peak.high), base::format_bytes(memory.usable)),
                        "it may flush the allocator's cache, or fail: try it, or take a smaller batch"});
  }
  if (memory.contradicting_batch) {
    const bool fits = memory.verdict != Verdict::does_not_fit;
    warnings.push_back({"fit-flickers",
                        fmt::format("a batch of {} {}, and {} {}: so near the limit it depends on how the allocator's "
                                    "blocks happen to lie",
                                    estimate.job.batch, fits ? "fits" : "does not fit", *memory.contradicting_batch,
                                    fits ? "does not" : "does"),
                        "leave some memory free, or set --expandable-segments"});
  }
}

std::optional<Bytes> ram_of(const Estimate& estimate) {
  return estimate.job.data.ram || !estimate.target.machine ? estimate.job.data.ram : estimate.target.machine->ram;
}

void add_host_warnings(const Estimate& estimate, Warnings& warnings) {
  const std::optional<Bytes> ram = ram_of(estimate);
  const Bytes needed = estimate.input.host_memory;
  if (ram && needed > *ram) {
    warnings.push_back({"host-memory",
                        fmt::format("workers and batches in flight need {} of host memory, and the machine has {}",
                                    base::format_bytes(needed), base::format_bytes(*ram)),
                        "use fewer workers, or hand over uint8 (--pipeline tv-uint8)"});
  }
  const std::optional<Bytes> images = estimate.input.page_cache;
  if (ram && images && estimate.time.bound_by == "storage" && needed + *images <= *ram) {
    warnings.push_back({"page-cache",
                        fmt::format("the data set ({}) fits in the host's memory: only the first epoch waits for the "
                                    "storage",
                                    base::format_decimal_bytes(*images)),
                        "leave --storage out to see the later epochs"});
  }
  const auto& wanted = estimate.job.data.workers;
  if (wanted && *wanted != estimate.input.workers) {
    warnings.push_back({"uneven-workers",
                        fmt::format("{} workers cannot be shared evenly by the processes of the GPUs: {} are counted",
                                    *wanted, estimate.input.workers),
                        "give --workers as a multiple of the GPUs of a machine"});
  }
}

/// A step that waits for the host is as uncertain as the host's speed.
void add_host_bound(const Time& time, Warnings& warnings) {
  if (time.bound_by != "host") {
    return;
  }
  std::string text = fmt::format(
      "the GPU waits for the host, which takes {} to start the work of a step ({} to {} as hosts differ)",
      base::format_seconds(time.host.value), base::format_seconds(time.host.low), base::format_seconds(time.host.high));
  if (time.host_operation) {
    text +=
        fmt::format("; it issues an operation in {}, machines that were measured in {} to {}",
                    base::format_seconds(time.host_operation->value), base::format_seconds(time.host_operation->low),
                    base::format_seconds(time.host_operation->high));
  }
  warnings.push_back({"host-bound", std::move(text),
                      "larger batches hide it; measure your host with scripts/measure.py and calibrate"});
}

std::string workers_remedy(const Estimate& estimate) {
  const std::int64_t needed = estimate.input.workers_needed;
  const auto of_machine = estimate.target.machine ? estimate.target.machine->vcpus : std::nullopt;
  const std::int64_t cpus = estimate.job.data.cpus.value_or(of_machine.value_or(needed));
  return cpus >= needed ? fmt::format("use --workers {}", needed)
                        : fmt::format(
                              "{} workers would do, on as many cores; with {}, let them do less: "
                              "--pipeline tv-uint8 or nvjpeg, or --decoded-cache",
                              needed, cpus);
}

std::string storage_remedy(const Estimate& estimate) {
  std::string enough;
  for (const StorageOffer& offer : estimate.storage.offers) {
    enough += offer.sufficient ? (enough.empty() ? "" : " or ") + offer.name : "";
  }
  return enough.empty() ? "store smaller files (--image-format jpeg)" : "use --storage " + enough;
}

void add_input_warnings(const Estimate& estimate, Warnings& warnings) {
  const Time& time = estimate.time;
  const auto slow = [&](std::string hint, std::string_view more = "") {
    warnings.push_back(
        {"input-bound",
         fmt::format("a step takes the GPU {}, but its images take {}{}", base::format_seconds(time.step.value),
                     base::format_seconds(time.input.value), more),
         std::move(hint)});
  };
  if (time.bound_by == "storage") {
    slow(storage_remedy(estimate));
  } else if (time.bound_by == "workers") {
    slow(workers_remedy(estimate), estimate.input.workers == 0 ? " more: without workers they come in turn" : "");
  } else if (time.bound_by == "copy") {
    slow("hand over uint8 (--pipeline tv-uint8), a quarter of the bytes", " to copy");
  }
  constexpr double kNoticed = 0.05;
  if (estimate.job.data.pipeline == job::Pipeline::nvjpeg && time.bound_by == "gpu" &&
      time.input_exposed.value > time.iteration.value * kNoticed) {
    warnings.push_back(
        {"gpu-decode",
         fmt::format("the GPU decodes images for {} of the {} of a step",
                     base::format_seconds(time.input_exposed.value), base::format_seconds(time.iteration.value)),
         "decode on the CPU (--pipeline tv-uint8) where it has cores enough"});
  }
}

void add_machine_warnings(const Estimate& estimate, const Interconnect& network, Warnings& warnings) {
  const job::Parallel& parallel = estimate.job.parallel;
  if (network.assumed && parallel.nodes > 1 && estimate.time.bound_by == "communication") {
    warnings.push_back({"assumed-network",
                        fmt::format("the network between nodes bounds the step, and its {} are assumed",
                                    base::format_scaled(network.per_node.count(), "B/s")),
                        "name the machine (--machine), whose network is known"});
  }
  if (estimate.price && estimate.price->price.spot) {
    warnings.push_back({"spot-price",
                        "a spot machine may be taken back at any time: what is done twice is not in the cost",
                        "save checkpoints (--checkpoint-every), and leave room in the deadline"});
  }
  if (estimate.run && !estimate.run->cost) {
    const auto& machine = estimate.target.machine;
    const std::string& name = machine ? machine->name : estimate.target.gpu.name;
    const std::int64_t here = job::gpus_per_node(estimate.job);
    warnings.push_back({"no-price",
                        machine     ? fmt::format("no price is known of {}", name)
                        : here == 1 ? fmt::format("no price is known of a machine with {}", name)
                                    : fmt::format("no price is known of a machine with {} {}", here, name),
                        fmt::format("give --price {}=USD_PER_HOUR for the cost", name)});
  }
}

void add_arithmetic_warnings(const Estimate& estimate, const lowering::Framework& framework, Warnings& warnings) {
  const job::Job& job = estimate.job;
  const hardware::Gpu& gpu = estimate.target.gpu;
  const auto& observed = framework.observed;
  const auto seen = [](const std::optional<Bytes>& bytes) {
    return bytes ? fmt::format(": one measured step took {}", base::format_bytes(*bytes)) : "";
  };
  if (in_true_fp32(job, gpu)) {
    warnings.push_back({"fp32-workspace",
                        "in true fp32 cuDNN may choose FFT algorithms whose workspace is many times the activations" +
                            seen(observed.fp32_step),
                        gpu.tf32_tensor ? "use tf32, PyTorch's default, or allow for the upper end of the range"
                                        : "allow for the upper end of the range"});
  }
  if (job::runs_as(job.precision, gpu) != job.precision) {
    warnings.push_back({"no-tf32", fmt::format("{} has no TF32 units: tf32 runs as fp32 there", gpu.name),
                        gpu.fp16_tensor ? "amp-fp16 uses its tensor cores" : "it has no faster arithmetic"});
  }
  if (job.cudnn_benchmark) {
    warnings.push_back(
        {"benchmark-workspace",
         "cudnn.benchmark tries plans with far larger workspaces in the first step" + seen(observed.benchmark_step),
         "leave it off where memory is short"});
  }
  if (job.precision == job::Precision::bf16) {
    warnings.push_back({"pure-bf16", "weights, gradients and optimizer state in bfloat16 change training",
                        "amp-bf16 keeps fp32 weights"});
  }
  if (job.precision == job::Precision::fp16 && job.mode == job::Mode::train) {
    warnings.push_back(
        {"pure-fp16",
         "weights and gradients in float16 overflow or vanish, and GradScaler refuses gradients in float16",
         "amp-fp16 keeps fp32 weights and scales the loss"});
  }
  if (!runs_on(framework, gpu)) {
    const bool old =
        hardware::capability_number(gpu.compute_capability) < hardware::capability_number(framework.least_capability);
    warnings.push_back(
        {old ? "old-gpu" : "new-gpu",
         fmt::format("{} does not run on compute capability {}", framework.title, gpu.compute_capability),
         fmt::format("{} PyTorch does; its figures may differ", old ? "an older" : "a newer")});
  }
  if (!framework.rules_of.empty()) {
    warnings.push_back({"unmeasured-version",
                        fmt::format("{} was not measured: workspaces and times are those of {}, in wider ranges",
                                    framework.title, framework.rules_of),
                        "measure and verify a run: vggplan verify"});
  }
}

void add_training_warnings(const Lowered& lowered, const Estimate& estimate, Warnings& warnings) {
  const job::Job& job = estimate.job;
  if (job::normalizes_by_batch(job) && job.batch < kSmallNormBatch) {
    warnings.push_back(
        {"small-batch-norm",
         fmt::format("batch norm takes its statistics over {} image{} per GPU; below {} training suffers", job.batch,
                     job.batch == 1 ? "" : "s", kSmallNormBatch),
         "use SyncBatchNorm, --freeze-norm statistics, or a model without batch norm"});
  }
  if (largest_output(lowered.network) * job.batch > kInt32Elements) {
    warnings.push_back({"beyond-2^31", "a tensor has more than 2^31 elements: cuDNN runs the batch in chunks",
                        "measured up to 12 images of 4024x3036; results beyond that are extrapolated"});
  }
}

Bytes trained_bytes(const graph::Network& network, const job::Job& job) {
  std::int64_t elements = network.nodes.front().trained ? job.batch * network.input.elements() : 0;
  for (const graph::ParameterTensor& tensor : graph::trained_tensors(network)) {
    elements += tensor.elements;
  }
  return Bytes(elements * base::size_of(job::parameter_type(job.precision)));
}

void add_lbfgs(const Lowered& lowered, const job::Job& job, Warnings& warnings) {
  if (!job::uses_lbfgs(job)) {
    return;
  }
  const job::Lbfgs& lbfgs = job.lbfgs;
  warnings.push_back(
      {"lbfgs",
       fmt::format(
           "a step of lbfgs goes forward and back {} times over its batch, and its {} pairs of vectors over all "
           "that is trained are {}, there from step {} on",
           lbfgs.max_iter, lbfgs.history_size,
           base::format_bytes(2 * lbfgs.history_size * trained_bytes(lowered.network, job)),
           base::ceil_div(lbfgs.history_size + 1, lbfgs.max_iter)),
       "--history-size keeps fewer, --max-iter makes shorter steps; one that converges ends early, and pairs without "
       "curvature are not kept"});
}

void add_data_parallel(const Estimate& estimate, Warnings& warnings) {
  if (!estimate.data_parallel) {
    return;
  }
  const DataParallel& told = *estimate.data_parallel;
  warnings.push_back(
      {"data-parallel",
       fmt::format(
           "what is answered is ddp; torch.nn.DataParallel (dp) would take {} ({} to {}) for a step in place of "
           "{} and allocate {} on the first GPU: one process copies {} of parameters to each other GPU in every "
           "step, starts all of them under Python's lock, and adds up gradients when backward is over",
           base::format_seconds(told.step.value), base::format_seconds(told.step.low),
           base::format_seconds(told.step.high), base::format_seconds(estimate.time.step.value),
           base::format_bytes(told.first_gpu_peak.value), base::format_bytes(told.copied)),
       "start one process for each GPU (torchrun, DistributedDataParallel)"});
}

void add_sizes(const Estimate& estimate, Warnings& warnings) {
  const auto& sizes = estimate.time.by_size;
  if (sizes.empty()) {
    return;
  }
  const auto words = [](const auto& size) {
    return fmt::format("{} ({}x{})", base::format_seconds(size.second.value), size.first.height, size.first.width);
  };
  warnings.push_back(
      {"several-sizes",
       fmt::format("steps draw one of {} sizes: the peak is that of a run in which each was there, going up, and its "
                   "range that of other orders; the time is the mean of steps from {} to {}",
                   sizes.size(), words(sizes.front()), words(sizes.back())),
       "a step of the largest size at the start, or --expandable-segments, keeps what is reserved down"});
}

/// Only what differs from the default was surely asked for.
void add_idle_settings(const job::Job& job, Warnings& warnings) {
  const job::Job usual;
  const auto idle = [&](std::string_view flags, std::string_view where) {
    warnings.push_back({"no-effect", fmt::format("{} changes nothing {}", flags, where), "leave it out"});
  };
  if (job.mode == job::Mode::infer) {
    if (job.optimizer != usual.optimizer || job.optimizer_impl != usual.optimizer_impl) {
      idle("--optimizer", "in inference");
    }
    if (job.checkpointing != usual.checkpointing) {
      idle("--checkpointing", "in inference");
    }
  }
  if (job.lbfgs != usual.lbfgs && !job::uses_lbfgs(job)) {
    idle("--history-size or --max-iter", "without --optimizer lbfgs");
  }
  const bool buckets = job.mode == job::Mode::train && job.parallel.gpus > 1;
  if (job.parallel.bucket != usual.parallel.bucket || job.parallel.bucket_view) {
    if (!buckets) {
      idle("--bucket-mb or --bucket-view", "where no gradients are averaged");
    } else if (job.parallel.sharding == job::Sharding::fsdp2) {
      idle("--bucket-mb or --bucket-view", "under fsdp2, which has no buckets");
    }
  }
}

}  // namespace

std::vector<Warning> warnings_of(const Lowered& lowered, const Estimate& estimate, const Interconnect& network,
                                 const lowering::Framework& framework) {
  Warnings warnings;
  add_memory_warnings(estimate, framework, warnings);
  add_host_warnings(estimate, warnings);
  add_host_bound(estimate.time, warnings);
  add_input_warnings(estimate, warnings);
  add_machine_warnings(estimate, network, warnings);
  add_arithmetic_warnings(estimate, framework, warnings);
  add_training_warnings(lowered, estimate, warnings);
  add_lbfgs(lowered, estimate.job, warnings);
  add_sizes(estimate, warnings);
  add_data_parallel(estimate, warnings);
  add_idle_settings(estimate.job, warnings);
  return warnings;
}

}  // namespace vggplan::estimate
