// SPDX-License-Identifier: MIT
// Jobs, and the records of the catalogue.
#include <fmt/format.h>

#include <algorithm>

#include "report/parts.hpp"
#include "report/values.hpp"

namespace vggplan::report {

namespace {

Document data_part(const job::DataSet& data) {
  return object_of({{"images", plain(data.images)},
                    {"epochs", data.epochs},
                    {"image_format", enum_name(data.format)},
                    {"bytes_per_image", plain(data.bytes_per_image)},
                    {"pipeline", enum_name(data.pipeline)},
                    {"workers", plain(data.workers)},
                    {"cpus", plain(data.cpus)},
                    {"ram_bytes", plain(data.ram)},
                    {"storage", plain(data.storage)},
                    {"decoded_cache", when(data.decoded_cache, true)},
                    {"checkpoint_every", plain(data.checkpoint_every)},
                    {"keep_checkpoints", data.keep_checkpoints}});
}

/// What is known of a machine besides its name and GPUs.
void add_machine_facts(Document& part, const hardware::Machine& machine) {
  add(part, {{"vcpus", plain(machine.vcpus)},
             {"ram_bytes", plain(machine.ram)},
             {"local_storage_bytes", plain(machine.local_storage)},
             {"network_bytes_per_second", plain(machine.network)}});
  if (machine.price) {
    add(part, {{"price_usd_per_hour", plain(machine.price->per_hour)},
               {"price_region", plain(machine.price->region)},
               {"price_date", plain(machine.price->date)}});
    if (const auto& age = machine.price->age) {
      add(part, {{"price_age_days", age->most}, {"price_age_days_least", when(age->least != age->most, age->least)}});
    }
  }
  if (machine.spot_price) {
    add(part, {{"spot_price_usd_per_hour", plain(machine.spot_price->per_hour)}});
  }
}

Document source_part(const hardware::Source& source) {
  return object_of({{"reference", source.reference},
                    {"date", plain(source.date)},
                    {"note", plain(source.note)},
                    {"fields", filled(source.fields)}});
}

Document gpu_record(const GpuEntry& entry) {
  const hardware::Gpu& gpu = entry.gpu;
  return object_of({{"name", gpu.name},
                    {"title", gpu.title},
                    {"aliases", filled(entry.aliases)},
                    {"architecture", gpu.architecture},
                    {"compute_capability", gpu.compute_capability},
                    {"sm_count", gpu.sm_count},
                    {"boost_clock_mhz", plain(gpu.boost_clock_mhz)},
                    {"memory_total_bytes", plain(gpu.memory_total)},
                    {"context_bytes", plain(gpu.context_memory)},
                    {"usable_bytes", plain(gpu.usable_memory())},
                    {"l2_cache_bytes", plain(gpu.l2_cache)},
                    {"memory_bytes_per_second", plain(gpu.memory_bandwidth)},
                    {"fp32_flops_per_second", plain(gpu.fp32)},
                    {"tf32_tensor_flops_per_second", plain(gpu.tf32_tensor)},
                    {"fp16_tensor_flops_per_second", plain(gpu.fp16_tensor)},
                    {"bf16_tensor_flops_per_second", plain(gpu.bf16_tensor)},
                    {"nvlink", plain(gpu.nvlink)},
                    {"pcie", plain(gpu.pcie)},
                    {"unverified", gpu.unverified},
                    {"sources", list_of(gpu.sources, source_part)}});
}

Document machine_record(const hardware::Machine& machine) {
  Document part = object_of({{"name", machine.name},
                             {"provider", plain(machine.provider)},
                             {"gpu", machine.gpu},
                             {"gpu_count", machine.gpu_count},
                             {"topology", enum_name(machine.topology)}});
  add_machine_facts(part, machine);
  add(part, {{"price_source", machine.price ? plain(machine.price->reference) : Document()},
             {"unverified", machine.unverified},
             {"sources", list_of(machine.sources, source_part)}});
  return part;
}

Document model_record(const ModelEntry& entry) {
  const auto nodes_of = [&]<class Kind>(std::type_identity<Kind>) {
    return static_cast<std::int64_t>(std::ranges::count_if(
        entry.network.nodes, [](const graph::Node& node) { return std::holds_alternative<Kind>(node.kind); }));
  };
  const graph::LayerCounts counts = graph::count(entry.network);
  const std::int64_t layers = std::ranges::count_if(entry.network.nodes, graph::is_layer);
  return object_of({{"name", entry.spec.name},
                    {"convolutions", nodes_of(std::type_identity<graph::Convolution>())},
                    {"batch_norm", nodes_of(std::type_identity<graph::BatchNorm>()) > 0},
                    {"parameters", counts.parameters},
                    {"image_side", entry.network.input.height},
                    {"macs_forward", counts.macs},
                    {"flops_forward", plain(counts.flops_forward)},
                    {"source", plain(entry.spec.source)},
                    {"nodes", when(entry.from_file, layers)},
                    {"warnings", filled(entry.warnings)}});
}

template <class T, class Build>
Document catalogue(Kind kind, const std::vector<T>& entries, Build build) {
  Document report = start(kind);
  report[enum_name(kind)] = list_of(entries, build);
  return report;
}

/// As --sizes takes them.
std::string sizes_text(const std::vector<graph::Shape>& sizes) {
  std::string text;
  for (const graph::Shape& size : sizes) {
    text += fmt::format("{}{}x{}", text.empty() ? "" : ",", size.height, size.width);
  }
  return text;
}

}  // namespace

Document job_part(const job::Job& job) {
  const job::Parallel& parallel = job.parallel;
  const bool training = job.mode == job::Mode::train;
  const bool frozen_norm = training && job.scope.norm != graph::FrozenNorm::none;
  const bool lbfgs = job::uses_lbfgs(job);
  const bool parted = training && parallel.gpus > 1;
  const bool in_buckets = parted && parallel.sharding != job::Sharding::fsdp2;
  return object_of({{"model", job.model.name},
                    {"head", enum_name(job.head)},
                    {"until", when(!job.scope.until.empty(), job.scope.until)},
                    {"freeze", when(job.scope.freeze != "none", job.scope.freeze)},
                    {"freeze_norm", when(frozen_norm, enum_name(job.scope.norm))},
                    {"train", when(training && job.scope.trained == graph::Trained::image, "image")},
                    {"loss", when(training && job.scope.objective.has_value(),
                                  enum_name(job.scope.objective.value_or(graph::Objective::mse)))},
                    {"eval_batch", when(training && job.eval_batch > 0, job.eval_batch)},
                    {"forward_passes", when(training && job.forward_passes > 1, job.forward_passes)},
                    {"height", job.image.height},
                    {"width", job.image.width},
                    {"sizes", when(!job.sizes.empty(), sizes_text(job.sizes))},
                    {"channels", job.image.channels},
                    {"classes", job.classes},
                    {"mode", enum_name(job.mode)},
                    {"batch", job.batch},
                    {"accumulation", when(training, job.accumulation)},
                    {"global_batch", job::global_batch(job)},
                    {"precision", enum_name(job.precision)},
                    {"layout", enum_name(job.layout)},
                    {"optimizer", when(training, enum_name(job.optimizer))},
                    {"optimizer_impl", when(training, enum_name(job.optimizer_impl))},
                    {"history_size", when(lbfgs, job.lbfgs.history_size)},
                    {"max_iter", when(lbfgs, job.lbfgs.max_iter)},
                    {"checkpointing", when(training, job::to_string(job.checkpointing))},
                    {"compile", when(job.compile != job::Compile::none, enum_name(job.compile))},
                    {"gpu_count", parallel.gpus},
                    {"nodes", parallel.nodes},
                    {"sharding", when(parted, enum_name(parallel.sharding))},
                    {"bucket_bytes", when(in_buckets, plain(parallel.bucket))},
                    {"bucket_view", when(in_buckets, parallel.bucket_view)},
                    {"cudnn_benchmark", job.cudnn_benchmark},
                    {"expandable_segments", job.expandable_segments},
                    {"framework", job.framework},
                    {"data", data_part(job.data)}});
}

Document machine_part(const estimate::Estimate& estimate) {
  const hardware::Gpu& gpu = estimate.target.gpu;
  Document part = {{"gpu", gpu.name},
                   {"gpu_title", gpu.title},
                   {"gpu_count", estimate.job.parallel.gpus},
                   {"nodes", estimate.job.parallel.nodes},
                   {"memory_total_bytes", plain(gpu.memory_total)},
                   {"context_bytes", plain(gpu.context_memory)},
                   {"usable_bytes", plain(estimate.memory.usable)}};
  add(part, {{"used_bytes", when(estimate.target.used > base::Bytes(0), plain(estimate.target.used))}});
  if (const auto& machine = estimate.target.machine) {
    add(part,
        {{"name", machine->name}, {"provider", plain(machine->provider)}, {"gpus_per_machine", machine->gpu_count}});
    add_machine_facts(part, *machine);
  }
  return part;
}

Document model_part(const estimate::ModelSummary& model, job::Mode mode) {
  return object_of({{"name", model.name},
                    {"parameters", model.parameters},
                    {"macs_forward", model.macs_forward},
                    {"flops_forward", plain(model.flops_forward)},
                    {"flops_step", plain(model.flops_step)},
                    {"saved_activation_bytes", when(mode == job::Mode::train, plain(model.saved_activations))}});
}

Document warnings_part(const std::vector<estimate::Warning>& warnings) {
  return list_of(warnings, [](const estimate::Warning& warning) {
    return object_of({{"code", warning.code}, {"message", warning.message}, {"hint", plain(warning.hint)}});
  });
}

Document assumptions_part(const std::vector<estimate::Assumption>& assumptions) {
  return list_of(assumptions, [](const estimate::Assumption& assumption) -> Document {
    return {{"name", assumption.name}, {"value", assumption.value}, {"source", assumption.source}};
  });
}

Document build_gpus(const std::vector<GpuEntry>& gpus) { return catalogue(Kind::gpus, gpus, gpu_record); }
Document build_machines(const std::vector<hardware::Machine>& machines) {
  return catalogue(Kind::machines, machines, machine_record);
}
Document build_models(const std::vector<ModelEntry>& models) { return catalogue(Kind::models, models, model_record); }

}  // namespace vggplan::report
