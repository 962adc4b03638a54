// SPDX-License-Identifier: MIT
#include "report/parts.hpp"
#include "report/values.hpp"

namespace vggplan::report {

namespace {

Document phases_part(const estimate::Memory& memory, job::Mode mode) {
  Document part = Document::object();
  part["forward"] = quantity(memory.forward_peak);
  if (mode == job::Mode::train) {
    part["backward"] = quantity(memory.backward_peak);
    part["optimizer"] = quantity(memory.optimizer_peak);
  }
  return part;
}

Document by_batch_part(const std::vector<estimate::Estimate>& estimates) {
  Document part = Document::array();
  for (const estimate::Estimate& estimate : estimates) {
    Document row = {{"batch", estimate.job.batch}, {"verdict", enum_name(estimate.memory.verdict)}};
    row["reserved_peak_bytes"] = quantity(estimate.memory.reserved_peak);
    row["step_seconds"] = quantity(estimate.time.step);
    row["images_per_second"] = quantity(estimate.time.images_per_second);
    part.push_back(std::move(row));
  }
  return part;
}

Document offers_part(const std::vector<estimate::StorageOffer>& offers) {
  Document part = Document::array();
  for (const estimate::StorageOffer& offer : offers) {
    part.push_back({{"name", offer.name},
                    {"images_per_second", plain(offer.images_per_second)},
                    {"read_bytes_per_second", plain(offer.read_rate)},
                    {"sufficient", offer.sufficient}});
  }
  return part;
}

}  // namespace

Document memory_part(const estimate::Estimate& estimate) {
  const estimate::Memory& memory = estimate.memory;
  Document part = Document::object();
  part["verdict"] = enum_name(memory.verdict);
  part["allocated_peak_bytes"] = quantity(memory.allocated_peak);
  part["run_peak_bytes"] = quantity(memory.run_peak);
  part["reserved_peak_bytes"] = quantity(memory.reserved_peak);
  part["device_used_bytes"] = quantity(memory.device_used);
  part["usable_bytes"] = plain(memory.usable);
  part["headroom_bytes"] = plain(memory.headroom);
  if (memory.verdict != estimate::Verdict::does_not_fit) {
    part["cache_flushes_per_step"] = memory.cache_flushes_per_step;
  }
  part["first_step_peak_bytes"] = quantity(memory.first_step_peak);
  part["steady_peak_bytes"] = quantity(memory.steady_peak);
  if (estimate.job.mode == job::Mode::train) {
    part["after_forward_bytes"] = quantity(memory.after_forward);
  }
  part["phases"] = phases_part(memory, estimate.job.mode);
  part["breakdown_at_peak"] = byte_table(memory.breakdown);
  if (!memory.breakdown_layers.empty()) {
    part["breakdown_by_layer"] = byte_table(memory.breakdown_layers);
  }
  if (memory.shortfall) {
    Document shortfall = {{"requested_bytes", plain(memory.shortfall->requested)},
                          {"missing_bytes", plain(memory.shortfall->missing)},
                          {"step", memory.shortfall->step},
                          {"phase", memory.shortfall->phase}};
    set_if_not_empty(shortfall, "layer", memory.shortfall->layer);
    part["shortfall"] = std::move(shortfall);
  }
  if (!memory.timeline.empty()) {
    part["timeline"] = timeline_part(memory.timeline);
  }
  return part;
}

Document time_part(const estimate::Estimate& estimate) {
  const estimate::Time& time = estimate.time;
  const bool training = estimate.job.mode == job::Mode::train;
  Document part = Document::object();
  part["step_seconds"] = quantity(time.step);
  part["forward_seconds"] = quantity(time.forward);
  if (training) {
    part["backward_seconds"] = quantity(time.backward);
    part["optimizer_seconds"] = quantity(time.optimizer);
  }
  if (training && estimate.job.parallel.gpus > 1) {
    part["communication_seconds"] = quantity(time.communication);
    part["communication_exposed_seconds"] = quantity(time.communication_exposed);
    part["parallel_overhead_seconds"] = quantity(time.parallel_overhead);
  }
  part["input_seconds"] = quantity(time.input);
  part["input_exposed_seconds"] = quantity(time.input_exposed);
  part["iteration_seconds"] = quantity(time.iteration);
  part["images_per_second"] = quantity(time.images_per_second);
  part["bound_by"] = time.bound_by;
  part["model_flops_utilization"] = plain(time.model_flops_utilization);
  return part;
}

Document input_part(const estimate::Input& input) {
  Document part = Document::object();
  part["images_per_second_needed"] = plain(input.images_per_second_needed);
  part["decode_images_per_second_per_worker"] = plain(input.decode_images_per_second_per_worker);
  part["workers"] = input.workers;
  part["workers_needed"] = input.workers_needed;
  part["copy_images_per_second"] = plain(input.copy_images_per_second);
  set_if(part, "storage_images_per_second", input.storage_images_per_second);
  part["host_memory_bytes"] = plain(input.host_memory);
  set_if(part, "page_cache_bytes", input.page_cache);
  return part;
}

Document storage_part(const estimate::StorageNeed& storage, job::Mode mode) {
  Document part = Document::object();
  part["bytes_per_image"] = plain(storage.bytes_per_image);
  set_if(part, "dataset_bytes", storage.dataset);
  set_if(part, "cache_bytes", storage.cache);
  if (mode == job::Mode::train) {
    set_if(part, "weights_bytes", storage.weights);
    part["checkpoint_bytes"] = plain(storage.checkpoint);
    part["checkpoints_bytes"] = plain(storage.checkpoints);
    set_if(part, "logs_bytes", storage.logs);
  }
  part["total_bytes"] = plain(storage.total);
  part["read_bytes_per_second"] = plain(storage.read_rate);
  if (!storage.offers.empty()) {
    part["profiles"] = offers_part(storage.offers);
  }
  return part;
}

Document run_part(const estimate::Run& run) {
  Document part = Document::object();
  part["steps"] = run.steps;
  part["epoch_seconds"] = quantity(run.epoch);
  part["total_seconds"] = quantity(run.total);
  part["gpu_hours"] = quantity(run.gpu_hours);
  if (run.cost) {
    part["cost_usd"] = quantity(*run.cost);
  }
  return part;
}

void add_estimate(Document& report, const estimate::Estimate& estimate,
                  const std::vector<estimate::Estimate>& by_batch) {
  report["job"] = job_part(estimate.job);
  report["machine"] = machine_part(estimate);
  report["model"] = model_part(estimate.model, estimate.job.mode);
  report["memory"] = memory_part(estimate);
  report["time"] = time_part(estimate);
  report["input"] = input_part(estimate.input);
  report["storage"] = storage_part(estimate.storage, estimate.job.mode);
  if (estimate.run) {
    report["run"] = run_part(*estimate.run);
  }
  if (!estimate.layers.empty()) {
    report["layers"] = layer_rows(estimate);
  }
  if (!by_batch.empty()) {
    report["by_batch"] = by_batch_part(by_batch);
  }
  report["warnings"] = warnings_part(estimate.warnings);
  report["assumptions"] = assumptions_part(estimate.assumptions);
}

Document build_estimate(const estimate::Estimate& estimate, const std::vector<estimate::Estimate>& by_batch) {
  Document report = start(Kind::estimate);
  add_estimate(report, estimate, by_batch);
  return report;
}

}  // namespace vggplan::report
