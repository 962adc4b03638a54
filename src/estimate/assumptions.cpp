// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "estimate/parts.hpp"
#include "vggplan/base/format.hpp"

namespace vggplan::estimate {

namespace {

using Assumptions = std::vector<Assumption>;

void add_parallel(const Estimate& estimate, const Interconnect& network, const lowering::Framework& framework,
                  Assumptions& assumptions) {
  const job::Parallel& parallel = estimate.job.parallel;
  if (parallel.gpus == 1) {
    return;
  }
  assumptions.push_back({"NCCL", base::format_bytes(framework.nccl) + " a GPU",
                         parallel.gpus <= 4 && parallel.nodes == 1 ? "measured with two and four GPUs over NVLink"
                                                                   : "as measured with four GPUs over NVLink, up to "
                                                                     "half as much again with more or other links"});
  if (parallel.sharding != job::Sharding::fsdp2 && estimate.job.mode == job::Mode::train) {
    assumptions.push_back({"DDP's peak", "the upper end of its range",
                           "whether the first bucket still lives when buckets are rebuilt is a race: peaks differ by "
                           "one set of gradients between ranks and runs"});
  }
  if (parallel.nodes > 1 && network.assumed && estimate.job.mode == job::Mode::train) {
    assumptions.push_back(
        {"network between nodes", base::format_scaled(network.per_node.count(), "B/s") + " a node",
         network.machine.empty()
             ? "assumed: 100 Gbit/s"
             : fmt::format("assumed: that of {}, the slowest in the catalogue that holds as many of this GPU",
                           network.machine)});
  }
}

/// Whose price it is, where, and as of when.
std::string source_of(const Quote& quote) {
  const hardware::Price& price = quote.price;
  if (price.reference == "--price") {
    return price.reference;
  }
  const auto age = [](const hardware::PriceAge& known) {
    const std::string least = known.least == known.most ? "" : fmt::format("{} to ", known.least);
    return fmt::format(" ({}{} days old on {})", least, known.most, known.today);
  };
  return fmt::format("{}{}, {}, {}{}: {}", quote.of, price.region.empty() ? "" : " in " + price.region,
                     price.spot ? "spot" : "on demand", price.date.empty() ? "of unknown date" : "as of " + price.date,
                     price.age ? age(*price.age) : "", price.reference);
}

void add_data(const Estimate& estimate, Assumptions& assumptions) {
  const job::DataSet& data = estimate.job.data;
  if (!data.bytes_per_image) {
    assumptions.push_back({"bytes per image", base::format_bytes(estimate.storage.bytes_per_image),
                           fmt::format("measured density of a photograph as {}", base::name_of_enum(data.format))});
  }
  if (estimate.storage.logs) {
    assumptions.push_back({"logs", base::format_decimal_bytes(*estimate.storage.logs),
                           "four scalars a step in a TensorBoard file, 50 bytes each"});
  }
  if (data.decoded_cache) {
    assumptions.push_back(
        {"decoded cache", "one byte a sample", "the first epoch, which decodes and writes it, is timed as the others"});
  }
}

}  // namespace

std::vector<Assumption> assumptions_of(const Estimate& estimate, const timing::Calibration& calibration,
                                       const Interconnect& network, const lowering::Framework& framework) {
  const bool measured = calibration.carried_from.empty();
  Assumptions assumptions;
  if (const hardware::Gpu& gpu = estimate.target.gpu; !gpu.like.empty()) {
    assumptions.push_back({"card", gpu.title, fmt::format("assumed: memory and arithmetic of {}", gpu.like)});
  }
  if (estimate.target.used > Bytes(0)) {
    assumptions.push_back({"memory of others", base::format_bytes(estimate.target.used) + " of each card", "--used"});
  }
  assumptions.push_back(
      {"usable memory", base::format_bytes(estimate.memory.usable),
       "what the driver reports, less the CUDA context, loaded modules and, where several GPUs train, NCCL"});
  assumptions.push_back({"workspaces", framework.rules_of.empty() ? framework.title : framework.rules_of,
                         "rules over measured convolutions on an H200"});
  assumptions.push_back({"time", measured ? "calibrated on this GPU" : "carried over from " + calibration.carried_from,
                         measured ? "measured steps and operations" : "by SMs, clock, bandwidth and cache"});
  if (estimate.time.model_flops_utilization > 1.0) {
    assumptions.push_back({"FLOPs", "those of the direct algorithm",
                           "Winograd kernels multiply less, so that fp32 goes beyond the peak"});
  }
  add_data(estimate, assumptions);
  add_parallel(estimate, network, framework, assumptions);
  if (estimate.price && estimate.run) {
    assumptions.push_back(
        {"price", base::format_usd(estimate.price->per_hour) + " an hour", source_of(*estimate.price)});
  }
  return assumptions;
}

}  // namespace vggplan::estimate
