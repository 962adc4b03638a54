// SPDX-License-Identifier: MIT
// The input side of a job: what the GPUs take, and what workers, copies and storage of a machine deliver.
#include <algorithm>
#include <cmath>

#include "estimate/time_part.hpp"
#include "vggplan/base/checked.hpp"
#include "vggplan/estimate/data.hpp"

namespace vggplan::estimate {

namespace {

constexpr std::int64_t kManyWorkers = 1024;  // per GPU: more never help

std::optional<std::int64_t> cpus_of(const job::Job& job, const Target& target) {
  if (job.data.cpus) {
    return job.data.cpus;
  }
  return target.machine ? target.machine->vcpus : std::nullopt;
}

std::optional<hardware::Storage> storage_of(const job::Job& job, const Knowledge& knowledge) {
  const auto found = std::find_if(knowledge.storages.begin(), knowledge.storages.end(),
                                  [&](const hardware::Storage& storage) { return storage.name == job.data.storage; });
  return found == knowledge.storages.end() ? std::nullopt : std::optional(*found);
}

/// Every process has the same number of workers.
std::int64_t whole_per_gpu(std::int64_t workers, std::int64_t gpus) { return base::round_up(workers, gpus); }

base::Seconds seconds_per_image(const job::Job& job, base::Seconds step) {
  return step / static_cast<double>(job.batch * job.accumulation);
}

}  // namespace

timing::ImagePath image_path(const job::Job& job) {
  timing::ImagePath path;
  path.file = job.data.decoded_cache ? job::ImageFormat::raw : job.data.format;
  path.pipeline = job.data.pipeline;
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
  const std::int64_t gpus = job::gpus_per_node(job);
  timing::Demand demand = timing::demand_of(path, gpus, seconds_per_image(job, step), calibration.input);
  if (storage) {
    const std::int64_t readers = readers_wanted(*storage, path, demand.images_per_second);
    demand.workers = std::max(demand.workers, whole_per_gpu(readers, gpus));
  }
  return demand;
}

timing::InputThroughput feed_from(const std::optional<hardware::Storage>& storage, const Timed& asked,
                                  base::Seconds step, double decode_factor = 1.0) {
  const auto& [job, target, knowledge, calibration] = asked;
  timing::InputSide side;
  side.gpus = job::gpus_per_node(job);
  side.workers = workers_of(job, target, demand_on(storage, job, calibration, step));
  side.cpus = cpus_of(job, target).value_or(side.workers);
  if (storage) {
    const std::int64_t readers = std::max(side.workers, side.gpus);
    side.readers = std::min(readers, storage->parallel_reads.value_or(readers));
    side.storage_read = storage->sequential_read;
    side.storage_latency = storage->latency;
  }
  timing::ImagePath path = image_path(job);
  path.decode_factor = decode_factor;
  return timing::input_throughput(path, side, seconds_per_image(job, step), calibration.input);
}

}  // namespace

timing::Demand demand(const Timed& asked, base::Seconds step) {
  return demand_on(storage_of(asked.job, asked.knowledge), asked.job, asked.calibration, step);
}

timing::InputThroughput feed(const Timed& asked, base::Seconds step, double decode_factor) {
  return feed_from(storage_of(asked.job, asked.knowledge), asked, step, decode_factor);
}

std::vector<StorageOffer> storage_offers(const Timed& asked, base::Seconds step) {
  const auto& [job, target, knowledge, calibration] = asked;
  std::vector<StorageOffer> offers;
  for (const hardware::Storage& storage : knowledge.storages) {
    const double offered = *feed_from(storage, asked, step).storage_images_per_second;
    const double images = offered * static_cast<double>(job.parallel.nodes);
    offers.push_back({storage.name, images, base::BytesPerSecond(images * bytes_read_per_image(job).as_double()),
                      offered >= demand_on(storage, job, calibration, step).images_per_second});
  }
  return offers;
}

std::int64_t workers_of(const job::Job& job, const Target& target, const timing::Demand& demand) {
  const std::int64_t gpus = job::gpus_per_node(job);
  if (job.data.workers) {
    return whole_per_gpu(*job.data.workers, gpus);
  }
  const std::optional<std::int64_t> cpus = cpus_of(job, target);
  return cpus ? std::min(demand.workers, std::max(gpus, *cpus / gpus * gpus)) : demand.workers;
}

Input input_part(const Timed& asked, base::Seconds step) {
  const auto& [job, target, knowledge, calibration] = asked;
  constexpr std::int64_t kPrefetch = 2;               // DataLoader's prefetch_factor
  constexpr Bytes kWorkerProcess = base::kMiB * 300;  // Python, torch and torchvision in one worker
  constexpr Bytes kTrainingProcess = base::kGiB * 3;  // the same with CUDA libraries, per GPU
  const timing::ImagePath path = image_path(job);
  const timing::Demand needed = demand(asked, step);
  const timing::InputThroughput throughput = feed(asked, step);
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
  input.host_memory = of(kWorkerProcess, input.workers) + of(kTrainingProcess, job::gpus_per_node(job));
  if (job.data.images) {
    input.page_cache = bytes_read_per_image(job) * *job.data.images;
  }
  return input;
}

}  // namespace vggplan::estimate
