// SPDX-License-Identifier: MIT
#include <algorithm>

#include "report/parts.hpp"
#include "report/values.hpp"

namespace vggplan::report {

namespace {

Document sources_part(const std::vector<hardware::Source>& sources) {
  Document part = Document::array();
  for (const hardware::Source& source : sources) {
    Document row = {{"reference", source.reference}};
    set_if_not_empty(row, "date", source.date);
    set_if_not_empty(row, "note", source.note);
    if (!source.fields.empty()) {
      row["fields"] = source.fields;
    }
    part.push_back(std::move(row));
  }
  return part;
}

Document gpu_part(const GpuEntry& entry) {
  const hardware::Gpu& gpu = entry.gpu;
  Document part = {{"name", gpu.name}, {"title", gpu.title}};
  if (!entry.aliases.empty()) {
    part["aliases"] = entry.aliases;
  }
  part["architecture"] = gpu.architecture;
  part["compute_capability"] = gpu.compute_capability;
  part["sm_count"] = gpu.sm_count;
  part["boost_clock_mhz"] = plain(gpu.boost_clock_mhz);
  part["memory_total_bytes"] = plain(gpu.memory_total);
  part["context_bytes"] = plain(gpu.context_memory);
  part["usable_bytes"] = plain(gpu.usable_memory());
  part["l2_cache_bytes"] = plain(gpu.l2_cache);
  part["memory_bytes_per_second"] = plain(gpu.memory_bandwidth);
  set_if(part, "fp32_flops_per_second", gpu.fp32);
  set_if(part, "tf32_tensor_flops_per_second", gpu.tf32_tensor);
  set_if(part, "fp16_tensor_flops_per_second", gpu.fp16_tensor);
  set_if(part, "bf16_tensor_flops_per_second", gpu.bf16_tensor);
  set_if(part, "nvlink", gpu.nvlink);
  set_if_not_empty(part, "pcie", gpu.pcie);
  part["unverified"] = gpu.unverified;
  part["sources"] = sources_part(gpu.sources);
  return part;
}

Document machine_record(const hardware::Machine& machine) {
  Document part = {{"name", machine.name}};
  set_if_not_empty(part, "provider", machine.provider);
  part["gpu"] = machine.gpu;
  part["gpu_count"] = machine.gpu_count;
  part["topology"] = enum_name(machine.topology);
  add_machine_facts(part, machine);
  if (machine.price) {
    set_if_not_empty(part, "price_source", machine.price->reference);
  }
  part["unverified"] = machine.unverified;
  part["sources"] = sources_part(machine.sources);
  return part;
}

Document model_record(const ModelEntry& entry) {
  const auto convolutions = std::count_if(entry.spec.features.begin(), entry.spec.features.end(),
                                          [](std::int64_t width) { return width != graph::kPool; });
  Document part = {{"name", entry.spec.name}};
  part["convolutions"] = static_cast<std::int64_t>(convolutions);
  part["batch_norm"] = entry.spec.batch_norm;
  part["parameters"] = entry.counts.parameters;
  part["macs_forward"] = entry.counts.macs;
  part["flops_forward"] = plain(entry.counts.flops_forward);
  set_if_not_empty(part, "source", entry.spec.source);
  return part;
}

template <class T, class Build>
Document catalogue(Kind kind, const std::vector<T>& entries, Build build) {
  Document report = start(kind);
  Document rows = Document::array();
  for (const T& entry : entries) {
    rows.push_back(build(entry));
  }
  report[enum_name(kind)] = std::move(rows);
  return report;
}

}  // namespace

Document build_gpus(const std::vector<GpuEntry>& gpus) { return catalogue(Kind::gpus, gpus, gpu_part); }
Document build_machines(const std::vector<hardware::Machine>& machines) {
  return catalogue(Kind::machines, machines, machine_record);
}
Document build_models(const std::vector<ModelEntry>& models) { return catalogue(Kind::models, models, model_record); }

}  // namespace vggplan::report
