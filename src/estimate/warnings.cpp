// SPDX-License-Identifier: MIT
#include "estimate/notes.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "vggplan/base/format.hpp"

namespace vggplan::estimate {

namespace {

constexpr std::int64_t kInt32Elements = 2147483648;
constexpr std::int64_t kSmallBatch = 8;

std::int64_t largest_tensor(const graph::Network& network, const job::Job& job) {
  std::int64_t largest = network.input.elements();
  for (const graph::Layer& layer : network.layers) {
    largest = std::max(largest, layer.output.elements());
  }
  return largest * job.batch;
}

std::optional<Bytes> ram_of(const Estimate& estimate) {
  return estimate.job.data.ram || !estimate.target.machine ? estimate.job.data.ram : estimate.target.machine->ram;
}

void add_host_warnings(const Estimate& estimate, std::vector<Warning>& warnings) {
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
}

}  // namespace

std::vector<Warning> warnings_of(const Lowered& lowered, const Estimate& estimate) {
  const job::Job& job = estimate.job;
  std::vector<Warning> warnings;
  if (estimate.memory.verdict == Verdict::fits_with_cache_flushes) {
    warnings.push_back(
        {"cache-flushes",
         fmt::format("it runs only by emptying the allocator's cache {} times a step, which was measured to make "
                     "steps up to 14 times slower; the times here do not contain that",
                     estimate.memory.cache_flushes_per_step),
         "take a smaller batch, or --expandable-segments"});
  }
  if (job.precision == job::Precision::fp32) {
    warnings.push_back(
        {"fp32-workspace",
         "with TF32 off cuDNN may choose FFT algorithms whose workspace is many times the activations: one "
         "measured step took 138 GiB",
         "use tf32, PyTorch's default, or allow for the upper end of the range"});
  }
  add_host_warnings(estimate, warnings);
  if (job.cudnn_benchmark) {
    warnings.push_back(
        {"benchmark-workspace",
         "cudnn.benchmark tries plans with far larger workspaces in the first step: one measured trial took 136 GiB",
         "leave it off where memory is short"});
  }
  if (job.model.batch_norm && job.mode == job::Mode::train && job.batch < kSmallBatch) {
    warnings.push_back(
        {"small-batch-norm",
         fmt::format("batch norm takes its statistics over {} image{} per GPU; below {} training suffers", job.batch,
                     job.batch == 1 ? "" : "s", kSmallBatch),
         "use SyncBatchNorm, frozen statistics, or a model without batch norm"});
  }
  if (largest_tensor(lowered.network, job) > kInt32Elements) {
    warnings.push_back({"beyond-2^31", "a tensor has more than 2^31 elements: cuDNN runs the batch in chunks",
                        "measured up to 12 images of 4024x3036; results beyond that are extrapolated"});
  }
  if (job.precision == job::Precision::bf16) {
    warnings.push_back({"pure-bf16", "weights, gradients and optimizer state in bfloat16 change training",
                        "amp-bf16 keeps fp32 weights"});
  }
  if (estimate.target.gpu.compute_capability < "7.5" && estimate.target.gpu.compute_capability.size() == 3) {
    warnings.push_back({"old-gpu",
                        fmt::format("CUDA 13 builds of PyTorch 2.11 do not run on compute capability {}",
                                    estimate.target.gpu.compute_capability),
                        "an older PyTorch does; its figures may differ"});
  }
  return warnings;
}

std::vector<Assumption> assumptions_of(const Estimate& estimate, const timing::Calibration& calibration,
                                       const std::optional<Quote>& price) {
  const hardware::Gpu& gpu = estimate.target.gpu;
  const bool measured = calibration.gpu == gpu.name;
  std::vector<Assumption> assumptions;
  assumptions.push_back({"usable memory", base::format_bytes(estimate.target.usable),
                         "what the driver reports, less the CUDA context and loaded modules"});
  assumptions.push_back({"workspaces", "cuDNN 9.19 on an H200", "rules over 6,244 measured convolutions"});
  assumptions.push_back({"time", measured ? "calibrated on this GPU" : "carried over from " + calibration.gpu,
                         measured ? "measured steps and operations" : "by SMs, clock, bandwidth and cache"});
  if (!estimate.job.data.bytes_per_image) {
    assumptions.push_back(
        {"bytes per image", base::format_bytes(estimate.storage.bytes_per_image),
         fmt::format("measured density of a photograph as {}", base::name_of_enum(estimate.job.data.format))});
  }
  if (estimate.job.parallel.gpus > 1) {
    assumptions.push_back({"NCCL", "842 MiB a GPU", "measured with two H200 over NVLink"});
  }
  if (estimate.storage.logs) {
    assumptions.push_back({"logs", base::format_decimal_bytes(*estimate.storage.logs),
                           "four scalars a step in a TensorBoard file, 50 bytes each"});
  }
  if (estimate.job.data.decoded_cache) {
    assumptions.push_back(
        {"decoded cache", "one byte a sample", "the first epoch, which decodes and writes it, is timed as the others"});
  }
  if (price && estimate.run) {
    const hardware::Machine* machine = price->machine;
    assumptions.push_back({"price", base::format_usd(price->per_hour) + " an hour",
                           machine == nullptr ? "--price"
                                              : fmt::format("{0}, {1}: vggplan machines {0} has the source",
                                                            machine->name, machine->price->date)});
  }
  return assumptions;
}

}  // namespace vggplan::estimate
