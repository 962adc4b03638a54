// SPDX-License-Identifier: MIT
#include "estimate/time_part.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "vggplan/base/checked.hpp"
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

/// Only what the user names is known; the slowest of the catalogue promises no more than any of them keeps.
const hardware::Machine* slowest_network(const job::Job& job, const Target& target, const Knowledge& knowledge) {
  const hardware::Machine* slowest = nullptr;
  for (const hardware::Machine& machine : knowledge.machines) {
    const bool holds = machine.gpu == target.gpu.name && machine.gpu_count >= gpus_per_machine(job);
    if (holds && machine.network && (slowest == nullptr || *machine.network < *slowest->network)) {
      slowest = &machine;
    }
  }
  return slowest;
}

timing::Fabric fabric_of(const job::Job& job, const Target& target, const Knowledge& knowledge) {
  const std::int64_t here = gpus_per_machine(job);
  const hardware::Topology topology =
      target.machine ? target.machine->topology : hardware::default_topology(target.gpu, here);
  const std::optional<std::string> name = hardware::peer_link(target.gpu, topology);
  const auto link = std::find_if(knowledge.links.begin(), knowledge.links.end(),
                                 [&](const hardware::Link& candidate) { return name && candidate.name == *name; });
  return timing::make_fabric(link == knowledge.links.end() ? hardware::Link{} : *link, topology, job.parallel.gpus,
                             job.parallel.nodes, network_of(job, target, knowledge).per_node);
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

/// Every process has the same number of workers.
std::int64_t whole_per_gpu(std::int64_t workers, std::int64_t gpus) { return (workers + gpus - 1) / gpus * gpus; }

base::Seconds seconds_per_image(const job::Job& job, base::Seconds step) {
  return step / static_cast<double>(job.batch * job.accumulation);
}

}  // namespace

Network network_of(const job::Job& job, const Target& target, const Knowledge& knowledge) {
  if (target.machine && target.machine->network) {
    return {*target.machine->network, false, target.machine->name};
  }
  const hardware::Machine* like = target.machine ? nullptr : slowest_network(job, target, knowledge);
  return like == nullptr ? Network{timing::kAssumedNetwork, true, ""} : Network{*like->network, true, like->name};
}

base::Result<timing::Calibration> calibration_for(const hardware::Gpu& gpu, const Knowledge& knowledge) {
  for (const Measured& measured : knowledge.measured) {
    if (measured.gpu.name == gpu.name) {
      return measured.calibration;
    }
  }
  if (knowledge.measured.empty()) {
    return base::Diagnostic{base::Fault::program, "calibration", "no GPU has a calibration", "reinstall vggplan"};
  }
  return timing::carry_over(knowledge.measured.front().calibration, knowledge.measured.front().gpu, gpu);
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

Work work_of(const Lowered& lowered, const job::Job& job) {
  return {lowering::lower_ops(lowered.network, job, lowered.segments), lowering::exchange_of(lowered.network, job)};
}

timing::OwnTime own_time_of(const Work& work, const job::Job& job, const Target& target,
                            const timing::Calibration& calibration) {
  const timing::StepOptions options{job.accumulation, job.cudnn_benchmark};
  return timing::own_time(work.ops, target.gpu, calibration, options, work.exchange);
}

timing::ParallelTime step_of(const Work& work, const timing::OwnTime& own, const job::Job& job, const Target& target,
                             const Knowledge& knowledge, const timing::Calibration& calibration) {
  timing::ParallelTime time =
      timing::parallel_step_time(own, target.gpu, calibration, work.exchange, fabric_of(job, target, knowledge));
  if (job.parallel.nodes > 1 && network_of(job, target, knowledge).assumed) {
    for (Estimated<Seconds>* part : {&time.communication, &time.exposed, &time.step.step}) {
      part->basis = base::Basis::assumed;
    }
  }
  return time;
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

timing::Demand demand_on(const std::optional<hardware::Storage>& storage, const job::Job& job,
                         const timing::Calibration& calibration, base::Seconds step) {
  const timing::ImagePath path = image_path(job);
  const std::int64_t gpus = gpus_per_machine(job);
  timing::Demand demand = timing::demand_of(path, gpus, seconds_per_image(job, step), calibration.input);
  if (storage) {
    const std::int64_t readers = readers_wanted(*storage, path, demand.images_per_second);
    demand.workers = std::max(demand.workers, whole_per_gpu(readers, gpus));
  }
  return demand;
}

timing::InputThroughput feed_from(const std::optional<hardware::Storage>& storage, const job::Job& job,
                                  const Target& target, const timing::Calibration& calibration, base::Seconds step) {
  timing::InputSide side;
  side.gpus = gpus_per_machine(job);
  side.workers = workers_of(job, target, demand_on(storage, job, calibration, step));
  side.cpus = cpus_of(job, target).value_or(side.workers);
  if (storage) {
    const std::int64_t readers = std::max(side.workers, side.gpus);
    side.readers = std::min(readers, storage->parallel_reads.value_or(readers));
    side.storage_read = storage->sequential_read;
    side.storage_latency = storage->latency;
  }
  return timing::input_throughput(image_path(job), side, seconds_per_image(job, step), calibration.input);
}

}  // namespace

timing::Demand demand(const job::Job& job, const Knowledge& knowledge, const timing::Calibration& calibration,
                      base::Seconds step) {
  return demand_on(storage_of(job, knowledge), job, calibration, step);
}

timing::InputThroughput feed(const job::Job& job, const Target& target, const Knowledge& knowledge,
                             const timing::Calibration& calibration, base::Seconds step) {
  return feed_from(storage_of(job, knowledge), job, target, calibration, step);
}

std::vector<StorageOffer> storage_offers(const job::Job& job, const Target& target, const Knowledge& knowledge,
                                         const timing::Calibration& calibration, base::Seconds step) {
  std::vector<StorageOffer> offers;
  for (const hardware::Storage& storage : knowledge.storages) {
    const double offered = *feed_from(storage, job, target, calibration, step).storage_images_per_second;
    const double images = offered * static_cast<double>(job.parallel.nodes);
    offers.push_back({storage.name, images, base::BytesPerSecond(images * bytes_read_per_image(job).as_double()),
                      offered >= demand_on(storage, job, calibration, step).images_per_second});
  }
  return offers;
}

std::int64_t workers_of(const job::Job& job, const Target& target, const timing::Demand& demand) {
  const std::int64_t gpus = gpus_per_machine(job);
  if (job.data.workers) {
    return whole_per_gpu(*job.data.workers, gpus);
  }
  const std::optional<std::int64_t> cpus = cpus_of(job, target);
  return cpus ? std::min(demand.workers, std::max(gpus, *cpus / gpus * gpus)) : demand.workers;
}

double images_per_second(const job::Job& job, const timing::InputThroughput& throughput) {
  return throughput.images_per_second * static_cast<double>(job.parallel.nodes);
}

std::string bound_by(const timing::ParallelTime& parallel, const timing::InputThroughput& throughput) {
  const bool waiting = parallel.exposed.value * 2.0 > parallel.step.step.value;
  return throughput.bound == timing::Bound::gpu && waiting ? "communication" : std::string(name_of(throughput.bound));
}

namespace {

/// `shown` less `part`, both in ranges of their own.
Estimated<Seconds> beyond(const Estimated<Seconds>& shown, const Estimated<Seconds>& part) {
  const auto [low, high] = std::minmax({shown.low - part.low, shown.high - part.high});
  const Seconds value = shown.value - part.value;
  return {value, std::min(low, value), std::max(high, value), base::weaker(shown.basis, part.basis)};
}

void add_input(Time& time, const job::Job& job, const Fed& fed) {
  const auto images = static_cast<double>(job::global_batch(job));
  const auto nodes = static_cast<double>(job.parallel.nodes);
  const auto rate = [&](const timing::InputThroughput& throughput) { return images_per_second(job, throughput); };
  const auto seconds = [&](const timing::InputThroughput& throughput) { return Seconds(images / rate(throughput)); };
  time.images_per_second = {rate(fed.value), rate(fed.slow), rate(fed.fast), time.step.basis};
  time.iteration = {seconds(fed.value), seconds(fed.fast), seconds(fed.slow), time.step.basis};
  time.input_exposed = beyond(time.iteration, time.step);
  const Seconds alone(images / (fed.value.input_images_per_second() * nodes));
  time.input = base::exactly(alone, base::Basis::modelled);
}

}  // namespace

Time time_part(const Lowered& lowered, const job::Job& job, const timing::ParallelTime& parallel, const Fed& fed,
               const hardware::Gpu& gpu) {
  Time time;
  time.step = parallel.step.step;
  time.forward = parallel.step.forward;
  time.backward = parallel.step.backward;
  time.optimizer = parallel.step.optimizer;
  time.communication = parallel.communication;
  time.communication_exposed = parallel.exposed;
  time.parallel_overhead = parallel.overhead;
  time.bound_by = bound_by(parallel, fed.value);
  add_input(time, job, fed);
  const graph::LayerCounts counts = graph::count(lowered.network);
  const base::Flops per_image =
      job.mode == job::Mode::train ? counts.flops_forward + counts.flops_backward : counts.flops_forward;
  if (const auto peak = hardware::peak_rate(gpu, job::convolution_math(job.precision))) {
    const double peaks = peak->count() * static_cast<double>(job.parallel.gpus);
    time.model_flops_utilization = per_image.as_double() * time.images_per_second.value / peaks;
  }
  for (std::size_t layer = 0; layer < parallel.step.layers.size(); ++layer) {
    time.layers.push_back({lowered.network.layers[layer].name, parallel.step.layers[layer].forward,
                           parallel.step.layers[layer].backward});
  }
  return time;
}

Input input_part(const job::Job& job, const Target& target, const Knowledge& knowledge,
                 const timing::Calibration& calibration, base::Seconds step) {
  constexpr std::int64_t kPrefetch = 2;               // DataLoader's prefetch_factor
  constexpr Bytes kWorkerProcess = base::kMiB * 300;  // Python, torch and torchvision in one worker
  constexpr Bytes kTrainingProcess = base::kGiB * 3;  // the same with CUDA libraries, per GPU
  const timing::ImagePath path = image_path(job);
  const timing::Demand needed = demand(job, knowledge, calibration, step);
  const timing::InputThroughput throughput = feed(job, target, knowledge, calibration, step);
  Input input;
  input.images_per_second_needed = needed.images_per_second;
  input.decode_images_per_second_per_worker = 1.0 / timing::worker_seconds(path, calibration.input).count();
  input.workers = workers_of(job, target, needed);
  input.workers_needed = needed.workers;
  input.copy_images_per_second = throughput.copy_images_per_second;
  input.storage_images_per_second = throughput.storage_images_per_second;
  const Bytes batch = timing::handed_bytes(path) * job.batch;
  const auto of = [&](Bytes process, std::int64_t count) {
    const std::int64_t most = base::kLargestExact / 2;  // beyond any machine; the sum of two is still exact
    const auto bytes = base::checked_product((batch * kPrefetch + process).count(), count);
    return Bytes(std::min(bytes.value_or(most), most));
  };
  input.host_memory = of(kWorkerProcess, input.workers) + of(kTrainingProcess, gpus_per_machine(job));
  if (job.data.images) {
    input.page_cache = bytes_read_per_image(job) * *job.data.images;
  }
  return input;
}

}  // namespace vggplan::estimate
