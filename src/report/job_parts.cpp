// SPDX-License-Identifier: MIT
#include "report/parts.hpp"
#include "report/values.hpp"

namespace vggplan::report {

namespace {

Document data_part(const job::DataSet& data) {
  Document part = Document::object();
  set_if(part, "images", data.images);
  part["epochs"] = data.epochs;
  part["image_format"] = enum_name(data.format);
  set_if(part, "bytes_per_image", data.bytes_per_image);
  part["pipeline"] = enum_name(data.pipeline);
  set_if(part, "workers", data.workers);
  set_if(part, "cpus", data.cpus);
  set_if(part, "ram_bytes", data.ram);
  set_if(part, "storage", data.storage);
  if (data.decoded_cache) {
    part["decoded_cache"] = true;
  }
  set_if(part, "checkpoint_every", data.checkpoint_every);
  part["keep_checkpoints"] = data.keep_checkpoints;
  return part;
}

}  // namespace

Document job_part(const job::Job& job) {
  const bool training = job.mode == job::Mode::train;
  Document part = Document::object();
  part["model"] = job.model.name;
  part["head"] = enum_name(job.head);
  part["height"] = job.image.height;
  part["width"] = job.image.width;
  part["channels"] = job.image.channels;
  part["classes"] = job.classes;
  part["mode"] = enum_name(job.mode);
  part["batch"] = job.batch;
  if (training) {
    part["accumulation"] = job.accumulation;
  }
  part["global_batch"] = job::global_batch(job);
  part["precision"] = enum_name(job.precision);
  part["layout"] = enum_name(job.layout);
  if (training) {
    part["optimizer"] = enum_name(job.optimizer);
    part["optimizer_impl"] = enum_name(job.optimizer_impl);
    part["checkpointing"] = job::to_string(job.checkpointing);
  }
  part["gpu_count"] = job.parallel.gpus;
  part["nodes"] = job.parallel.nodes;
  if (training && job.parallel.gpus > 1) {
    part["sharding"] = enum_name(job.parallel.sharding);
    if (job.parallel.sharding != job::Sharding::fsdp2) {
      part["bucket_bytes"] = plain(job.parallel.bucket);
      part["bucket_view"] = job.parallel.bucket_view;
    }
  }
  part["cudnn_benchmark"] = job.cudnn_benchmark;
  part["expandable_segments"] = job.expandable_segments;
  part["framework"] = job.framework;
  part["data"] = data_part(job.data);
  return part;
}

void add_machine_facts(Document& part, const hardware::Machine& machine) {
  set_if(part, "vcpus", machine.vcpus);
  set_if(part, "ram_bytes", machine.ram);
  set_if(part, "local_storage_bytes", machine.local_storage);
  set_if(part, "network_bytes_per_second", machine.network);
  if (machine.price) {
    part["price_usd_per_hour"] = plain(machine.price->per_hour);
    set_if_not_empty(part, "price_date", machine.price->date);
  }
}

Document machine_part(const estimate::Estimate& estimate) {
  const estimate::Target& target = estimate.target;
  const job::Parallel& parallel = estimate.job.parallel;
  Document part = Document::object();
  part["gpu"] = target.gpu.name;
  part["gpu_title"] = target.gpu.title;
  part["gpu_count"] = parallel.gpus;
  part["nodes"] = parallel.nodes;
  part["memory_total_bytes"] = plain(target.gpu.memory_total);
  part["context_bytes"] = plain(target.gpu.context_memory);
  part["usable_bytes"] = plain(estimate.memory.usable);
  if (target.machine) {
    const hardware::Machine& machine = *target.machine;
    part["name"] = machine.name;
    set_if_not_empty(part, "provider", machine.provider);
    part["gpus_per_machine"] = machine.gpu_count;
    add_machine_facts(part, machine);
  }
  return part;
}

Document model_part(const estimate::ModelSummary& model, job::Mode mode) {
  Document part = Document::object();
  part["name"] = model.name;
  part["parameters"] = model.parameters;
  part["macs_forward"] = model.macs_forward;
  part["flops_forward"] = plain(model.flops_forward);
  part["flops_step"] = plain(model.flops_step);
  if (mode == job::Mode::train) {
    part["saved_activation_bytes"] = plain(model.saved_activations);
  }
  return part;
}

Document warnings_part(const std::vector<estimate::Warning>& warnings) {
  Document part = Document::array();
  for (const estimate::Warning& warning : warnings) {
    Document row = {{"code", warning.code}, {"message", warning.message}};
    set_if_not_empty(row, "hint", warning.hint);
    part.push_back(std::move(row));
  }
  return part;
}

Document assumptions_part(const std::vector<estimate::Assumption>& assumptions) {
  Document part = Document::array();
  for (const estimate::Assumption& assumption : assumptions) {
    part.push_back({{"name", assumption.name}, {"value", assumption.value}, {"source", assumption.source}});
  }
  return part;
}

}  // namespace vggplan::report
