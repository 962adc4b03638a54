// SPDX-License-Identifier: MIT
#include "estimate/time_part.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <vector>

#include "vggplan/graph/graph.hpp"
#include "vggplan/lowering/ops.hpp"
#include "vggplan/timing/carry_over.hpp"
#include "vggplan/timing/collectives.hpp"
#include "vggplan/timing/step_time.hpp"

namespace vggplan::estimate {

namespace {

using base::Estimated;

constexpr std::int64_t kManyWorkers = 1024;  // per GPU: more never help

std::int64_t gpus_per_machine(const job::Job& job) {
  return std::max<std::int64_t>(1, job.parallel.gpus / job.parallel.nodes);
}

std::optional<std::int64_t> cpus_of(const job::Job& job, const Target& target) {
  if (job.data.cpus) {
    return job.data.cpus;
  }
  return target.machine ? target.machine->vcpus : std::nullopt;
}

timing::Fabric fabric_of(const job::Job& job, const Target& target, const Knowledge& knowledge) {
  const std::int64_t here = gpus_per_machine(job);
  const hardware::Topology topology = target.machine ? hardware::ring_topology(target.machine->topology, here)
                                                     : hardware::default_topology(target.gpu, here);
  const std::optional<std::string> name = hardware::peer_link(target.gpu, topology);
  const auto link = std::find_if(knowledge.links.begin(), knowledge.links.end(),
                                 [&](const hardware::Link& candidate) { return name && candidate.name == *name; });
  const std::optional<base::BytesPerSecond> network = target.machine ? target.machine->network : std::nullopt;
  return timing::make_fabric(link == knowledge.links.end() ? hardware::Link{} : *link, topology, job.parallel.gpus,
                             job.parallel.nodes, network);
}

std::optional<hardware::Storage> storage_of(const job::Job& job, const Knowledge& knowledge) {
  const auto found = std::find_if(knowledge.storages.begin(), knowledge.storages.end(),
                                  [&](const hardware::Storage& storage) { return storage.name == job.data.storage; });
  return found == knowledge.storages.end() ? std::nullopt : std::optional(*found);
}

timing::ImageFile file_of(job::ImageFormat format) {
  switch (format) {
    case job::ImageFormat::jpeg: return timing::ImageFile::jpeg;
    case job::ImageFormat::png: return timing::ImageFile::png;
    case job::ImageFormat::tiff: return timing::ImageFile::tiff;
    case job::ImageFormat::raw: return timing::ImageFile::raw;
  }
  return timing::ImageFile::raw;
}

timing::Decoder decoder_of(job::Pipeline pipeline) {
  switch (pipeline) {
    case job::Pipeline::pil_float: return timing::Decoder::pil;
    case job::Pipeline::tv_uint8: return timing::Decoder::torchvision;
    case job::Pipeline::nvjpeg: return timing::Decoder::nvjpeg;
  }
  return timing::Decoder::pil;
}

base::Seconds seconds_per_image(const job::Job& job, base::Seconds step) {
  return step / static_cast<double>(job.batch * job.accumulation);
}

}  // namespace

base::Result<timing::Calibration> calibration_for(const hardware::Gpu& gpu, const Knowledge& knowledge) {
  for (const Measured& measured : knowledge.measured) {
    if (measured.gpu.name == gpu.name) {
      return measured.calibration;
    }
  }
  if (knowledge.measured.empty()) {
    return base::Diagnostic{base::Fault::program, "calibration", "no GPU has a calibration", "reinstall vggplan"};
  }
  std::vector<hardware::Gpu> candidates;
  std::transform(knowledge.measured.begin(), knowledge.measured.end(), std::back_inserter(candidates),
                 [](const Measured& measured) { return measured.gpu; });
  const Measured& from = knowledge.measured[timing::most_alike(candidates, gpu)];
  return timing::carry_over(from.calibration, from.gpu, gpu);
}

base::Status check_precision(const job::Job& job, const hardware::Gpu& gpu) {
  const base::MathMode math = job::convolution_math(job.precision);
  if (hardware::peak_rate(gpu, math)) {
    return std::nullopt;
  }
  return base::wrong("--precision",
                     fmt::format("{} needs {} arithmetic, which {} does not have", base::name_of_enum(job.precision),
                                 base::name_of_enum(math), gpu.name),
                     hardware::peak_rate(gpu, base::MathMode::fp16) ? "use amp-fp16 or tf32" : "use tf32 or fp32");
}

Work work_of(const Lowered& lowered, const job::Job& job, const lowering::Framework& framework) {
  return {lowering::lower_ops(lowered.network, job, lowered.segments),
          lowering::exchange_of(lowered.network, job, framework)};
}

timing::OwnTime own_time_of(const Work& work, const job::Job& job, const Target& target,
                            const timing::Calibration& calibration) {
  const timing::StepOptions options{job.accumulation, job.cudnn_benchmark};
  return timing::own_time(work.ops, target.gpu, calibration, options, work.exchange);
}

timing::ParallelTime step_of(const Work& work, const timing::OwnTime& own, const job::Job& job, const Target& target,
                             const Knowledge& knowledge, const timing::Calibration& calibration) {
  return timing::parallel_step_time(own, target.gpu, calibration, work.exchange, fabric_of(job, target, knowledge));
}

timing::ImagePath image_path(const job::Job& job) {
  timing::ImagePath path;
  path.file = job.data.decoded_cache ? timing::ImageFile::raw : file_of(job.data.format);
  path.decoder = decoder_of(job.data.pipeline);
  path.float_in_worker = job.data.pipeline == job::Pipeline::pil_float;
  path.pixels = job.image.height * job.image.width;
  path.channels = job.image.channels;
  path.file_bytes = bytes_read_per_image(job);
  return path;
}

namespace {

/// Readers behind whose transfers the storage's latency hides, as far as it serves so many at once.
std::int64_t readers_wanted(const hardware::Storage& storage, const timing::ImagePath& path, double images_per_second) {
  constexpr double kUnnoticed = 0.05;  // of the transfer: where the storage is too slow anyway
  const double transfer = (path.file_bytes / storage.sequential_read).count();
  const double spare = std::max(1 / images_per_second - transfer, kUnnoticed * transfer);
  const double wanted = std::min(std::ceil(storage.latency.count() / spare), static_cast<double>(kManyWorkers));
  const std::int64_t readers = std::max<std::int64_t>(1, static_cast<std::int64_t>(wanted));
  return std::min(readers, storage.parallel_reads.value_or(readers));
}

timing::InputThroughput feed_from(const std::optional<hardware::Storage>& storage, const job::Job& job,
                                  const Target& target, const timing::Calibration& calibration, base::Seconds step) {
  const timing::ImagePath path = image_path(job);
  const base::Seconds each = seconds_per_image(job, step);
  timing::InputSide side;
  side.gpus = gpus_per_machine(job);
  side.cpus = cpus_of(job, target).value_or(kManyWorkers * side.gpus);
  side.workers = job.data.workers.value_or(side.cpus);
  timing::InputThroughput fed = timing::input_throughput(path, side, each, calibration.input);
  if (!storage) {
    return fed;
  }
  const std::int64_t needed = std::max(fed.workers_needed, readers_wanted(*storage, path, fed.gpu_images_per_second));
  // The timing room shares the latency among all workers that may be; here among those that there will be and
  // that the storage serves at once.
  const std::int64_t assumed = std::max(side.workers, side.gpus);
  const std::int64_t readers = std::max(job.data.workers.value_or(std::min(needed, assumed)), side.gpus);
  const std::int64_t served = std::min(readers, storage->parallel_reads.value_or(readers));
  side.storage_read = storage->sequential_read;
  side.storage_latency = storage->latency * (static_cast<double>(assumed) / static_cast<double>(served));
  fed = timing::input_throughput(path, side, each, calibration.input);
  fed.workers_needed = needed;
  return fed;
}

}  // namespace

timing::InputThroughput feed(const job::Job& job, const Target& target, const Knowledge& knowledge,
                             const timing::Calibration& calibration, base::Seconds step) {
  return feed_from(storage_of(job, knowledge), job, target, calibration, step);
}

std::vector<StorageOffer> storage_offers(const job::Job& job, const Target& target, const Knowledge& knowledge,
                                         const timing::Calibration& calibration, base::Seconds step) {
  std::vector<StorageOffer> offers;
  for (const hardware::Storage& storage : knowledge.storages) {
    const timing::InputThroughput fed = feed_from(storage, job, target, calibration, step);
    const double images = *fed.storage_images_per_second * static_cast<double>(job.parallel.nodes);
    offers.push_back({storage.name, images, base::BytesPerSecond(images * bytes_read_per_image(job).as_double()),
                      *fed.storage_images_per_second >= fed.gpu_images_per_second});
  }
  return offers;
}

std::int64_t workers_of(const job::Job& job, const Target& target, const timing::InputThroughput& throughput) {
  if (job.data.workers) {
    return *job.data.workers;
  }
  const std::int64_t wanted = throughput.workers_needed;
  const std::optional<std::int64_t> cpus = cpus_of(job, target);
  return cpus ? std::min(wanted, *cpus) : wanted;
}

double images_per_second(const job::Job& job, const timing::InputThroughput& throughput) {
  return throughput.images_per_second * static_cast<double>(job.parallel.nodes);
}

std::string bound_by(const timing::ParallelTime& parallel, const timing::InputThroughput& throughput) {
  const bool waiting = parallel.exposed.value * 2.0 > parallel.step.step.value;
  return throughput.bound == timing::Bound::gpu && waiting ? "communication" : std::string(name_of(throughput.bound));
}

Time time_part(const Lowered& lowered, const job::Job& job, const timing::ParallelTime& parallel,
               const timing::InputThroughput& throughput, const hardware::Gpu& gpu) {
  Time time;
  time.step = parallel.step.step;
  time.forward = parallel.step.forward;
  time.backward = parallel.step.backward;
  time.optimizer = parallel.step.optimizer;
  time.communication = parallel.communication;
  time.communication_exposed = parallel.exposed;
  const double images = static_cast<double>(job::global_batch(job));
  const double rate = images_per_second(job, throughput);
  time.input = base::exactly(base::Seconds(images / rate), base::Basis::modelled);
  time.images_per_second = base::exactly(rate, time.step.basis);
  time.bound_by = bound_by(parallel, throughput);
  const graph::LayerCounts counts = graph::count(lowered.network);
  const double per_image = job.mode == job::Mode::train ? (counts.flops_forward + counts.flops_backward).as_double()
                                                        : counts.flops_forward.as_double();
  if (const auto peak = hardware::peak_rate(gpu, job::convolution_math(job.precision))) {
    const double done = per_image * static_cast<double>(job.batch * job.accumulation);
    time.model_flops_utilization = done / time.step.value.count() / peak->count();
  }
  for (std::size_t layer = 0; layer < parallel.step.layers.size(); ++layer) {
    time.layers.push_back({lowered.network.layers[layer].name, parallel.step.layers[layer].forward,
                           parallel.step.layers[layer].backward});
  }
  return time;
}

Input input_part(const job::Job& job, const Target& target, const timing::Calibration& calibration,
                 const timing::InputThroughput& throughput, base::Seconds step) {
  constexpr std::int64_t kPrefetch = 2;               // DataLoader's prefetch_factor
  constexpr Bytes kWorkerProcess = base::kMiB * 300;  // Python, torch and torchvision in one worker
  constexpr Bytes kTrainingProcess = base::kGiB * 3;  // the same with CUDA libraries, per GPU
  const timing::ImagePath path = image_path(job);
  const double here = static_cast<double>(gpus_per_machine(job));
  Input input;
  input.images_per_second_needed = here / seconds_per_image(job, step).count();
  input.decode_images_per_second_per_worker = 1.0 / timing::worker_seconds(path, calibration.input).count();
  input.workers = workers_of(job, target, throughput);
  input.workers_needed = throughput.workers_needed;
  input.copy_images_per_second = throughput.copy_images_per_second;
  input.storage_images_per_second = throughput.storage_images_per_second;
  const Bytes batch = timing::handed_bytes(path) * job.batch;
  input.host_memory = (batch * kPrefetch + kWorkerProcess) * input.workers +
                      (batch * kPrefetch + kTrainingProcess) * gpus_per_machine(job);
  if (job.data.images) {
    input.page_cache = bytes_read_per_image(job) * *job.data.images;
  }
  return input;
}

}  // namespace vggplan::estimate
