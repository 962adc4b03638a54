// SPDX-License-Identifier: MIT
// One job on one machine: memory with its breakdown, time, input side, storage, run, verdict.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "vggplan/base/estimated.hpp"
#include "vggplan/base/result.hpp"
#include "vggplan/base/units.hpp"
#include "vggplan/graph/graph.hpp"
#include "vggplan/hardware/hardware.hpp"
#include "vggplan/job/job.hpp"

namespace vggplan::estimate {

using base::Bytes;
using base::Estimated;
using base::Seconds;

/// Images per GPU below which batch norm's statistics hurt training: its error grows rapidly as batches shrink (Wu and
/// He, Group Normalization, arXiv:1803.08494). Where to draw the line is our choice.
constexpr std::int64_t kSmallNormBatch = 8;

/// Whether the steady state runs without, or with, a flush of the allocator's cache in every step.
enum class Verdict { fits, fits_with_cache_flushes, does_not_fit };

struct TimelinePoint {
  std::int64_t step{};
  std::string phase{};
  std::string layer{};
  Bytes allocated{};
  Bytes reserved{};
  std::vector<std::pair<std::string, Bytes>> categories{};  ///< of what is allocated, without those of 0
};

struct Shortfall {  ///< the allocation that failed; bytes as in memory::OutOfMemory
  Bytes requested{};
  Bytes missing{};
  Bytes tried{};
  Bytes allocated{};
  Bytes reserved{};
  Bytes free{};
  std::string phase{};
  std::string layer{};
  std::int64_t step{};  ///< counted from 1: a process that flushes its cache may run out some steps later
};

struct Memory {
  Verdict verdict{Verdict::fits};
  Estimated<Bytes>
      allocated_peak{};              ///< process start to the end of step 2: what a script that measures two steps sees
  Estimated<Bytes> run_peak{};       ///< of the whole run; more than the above where state comes in a later step
  Estimated<Bytes> reserved_peak{};  ///< of the whole run
  Estimated<Bytes> device_used{};    ///< reserved + context + NCCL
  Bytes usable{};    ///< that the allocator may reserve: what context and NCCL leave, or less by `Target::usable`
  Bytes headroom{};  ///< usable - reserved peak; negative where it does not fit
  std::int64_t cache_flushes_per_step{};
  /// Where "fits" flickers with the batch: the nearest smaller one that does not fit, though this does, or the nearest
  /// larger one that does, though this does not.
  std::optional<std::int64_t> contradicting_batch{};
  Estimated<Bytes> first_step_peak{};
  Estimated<Bytes> steady_peak{};
  Estimated<Bytes> after_forward{};
  Estimated<Bytes> forward_peak{};
  Estimated<Bytes> backward_peak{};
  Estimated<Bytes> optimizer_peak{};
  std::vector<std::pair<std::string, Bytes>> breakdown{};         ///< by category; sums to run_peak.value
  std::vector<std::pair<std::string, Bytes>> breakdown_layers{};  ///< by layer; same sum
  std::string allocator_settings{};  ///< of the environment, where they are not the defaults
  std::optional<Shortfall> shortfall{};
  std::vector<TimelinePoint> timeline{};
};

struct LayerTime {
  std::string layer{};
  Seconds forward{};
  Seconds backward{};
};

struct Time {
  Estimated<Seconds> step{};
  Estimated<Seconds> forward{};
  Estimated<Seconds> backward{};
  Estimated<Seconds> optimizer{};
  Estimated<Seconds> communication{};
  Estimated<Seconds> communication_exposed{};
  Estimated<Seconds> parallel_overhead{};  ///< see timing::ParallelTime::overhead
  Estimated<Seconds> input{};              ///< what workers, copy and storage need by themselves
  Estimated<Seconds> input_exposed{};      ///< by how much the images lengthen the step
  Estimated<Seconds> iteration{};          ///< step and input_exposed: what a training loop shows
  Estimated<double> images_per_second{};
  Estimated<Seconds> host{};  ///< what the host takes to start a step's work; the range is that of hosts
  std::optional<Estimated<Seconds>> host_operation{};  ///< see timing::HostSpeed; none where nobody measured it
  std::optional<Estimated<Seconds>> compile{};         ///< torch.compile's before the first step
  std::string bound_by{};                              ///< "gpu", "host", "workers", "copy", "storage", "communication"
  double model_flops_utilization{};                    ///< of the whole, input included
  std::vector<LayerTime> layers{};
  /// Steps of each of several sizes: `step` is their mean. What is told by layer is that of the largest.
  std::vector<std::pair<graph::Shape, Estimated<Seconds>>> by_size{};
};

struct Input {
  double images_per_second_needed{};
  double decode_images_per_second_per_worker{};
  std::int64_t workers{};
  std::int64_t workers_needed{};
  double copy_images_per_second{};
  std::optional<double> storage_images_per_second{};
  Bytes host_memory{};                ///< of one machine: processes, batches in flight, pinned buffers
  std::optional<Bytes> page_cache{};  ///< more of it, so that every epoch but the first is read from memory
};

/// What a kind of storage delivers against what the GPUs take.
struct StorageOffer {
  std::string name{};
  double images_per_second{};
  base::BytesPerSecond read_rate{};
  bool sufficient{};
};

struct StorageNeed {
  std::optional<Bytes> dataset{};
  Bytes bytes_per_image{};
  std::optional<Bytes> cache{};    ///< of decoded images
  std::optional<Bytes> weights{};  ///< a checkpoint of the weights alone
  Bytes checkpoint{};              ///< with the optimizer's state
  Bytes checkpoints{};             ///< all that are kept
  std::optional<Bytes> logs{};
  Bytes total{};
  base::BytesPerSecond read_rate{};  ///< that keeps the GPUs busy
  std::vector<StorageOffer> offers{};
};

struct Run {  ///< present when the number of images is known
  std::int64_t steps{};
  Estimated<Seconds> epoch{};
  Estimated<Seconds> total{};
  Estimated<double> gpu_hours{};
  std::optional<Estimated<base::Usd>> cost{};
};

/// torch.nn.DataParallel's figures, where it was asked about.
struct DataParallel {
  Estimated<Seconds> step{};
  Estimated<Bytes> first_gpu_peak{};  ///< allocated on the GPU that gathers
  Bytes copied{};                     ///< to each other GPU in each step
};

struct ModelSummary {
  std::string name{};
  std::int64_t parameters{};
  std::int64_t macs_forward{};
  base::Flops flops_forward{};
  base::Flops flops_step{};
  Bytes saved_activations{};  ///< storages that autograd keeps at the end of forward, for the whole batch
};

/// A row of the table of layers. Work is counted for one image, as published counts are; bytes and
/// seconds are those of the whole micro-batch of one GPU.
struct LayerRow {
  std::string name{};
  std::string kind{};
  graph::Shape output{};
  graph::LayerCounts counts{};
  Bytes output_bytes{};     ///< 0 where the layer works in place or yields a view
  Bytes saved_bytes{};      ///< storages that autograd keeps first for this layer; they sum to saved_activations
  Bytes workspace_bytes{};  ///< the largest temporary of the layer's kernels, forward or backward
  Seconds forward{};
  Seconds backward{};
  std::vector<std::string> inputs{};  ///< layers that it reads, or the image, in order
  bool trained{false};                ///< has parameters, and they are trained
};

struct Warning {
  std::string code{};
  std::string message{};
  std::string hint{};
};

struct Assumption {
  std::string name{};
  std::string value{};
  std::string source{};
};

/// What the job runs on, resolved.
struct Target {
  hardware::Gpu gpu{};
  std::optional<hardware::Machine> machine{};
  Bytes usable{};  ///< at most so much for the allocator: gpu.usable_memory() or the user's figure
  Bytes used{};    ///< of each card, by others
};

/// What the machines that the job takes cost, and who says so.
struct Quote {
  base::Usd per_hour{};     ///< all of them
  std::string of{};         ///< the machine, or the GPU that the user priced
  hardware::Price price{};  ///< of one
};

struct Estimate {
  job::Job job{};
  Target target{};
  ModelSummary model{};
  Memory memory{};
  Time time{};
  Input input{};
  StorageNeed storage{};
  std::optional<DataParallel> data_parallel{};
  std::optional<Run> run{};
  std::optional<Quote> price{};
  std::vector<LayerRow> layers{};
  std::vector<Warning> warnings{};
  std::vector<Assumption> assumptions{};
};

}  // namespace vggplan::estimate
