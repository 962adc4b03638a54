// SPDX-License-Identifier: MIT
#include "catalog/records.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "catalog/read_record.hpp"
#include "vggplan/base/ascii.hpp"
#include "vggplan/base/format.hpp"
#include "vggplan/graph/architectures.hpp"

namespace vggplan::catalog {

namespace {

/// Notes on figures must name keys of the record that they are on.
void check_keys(const ObjectReader& record, const ObjectReader& where, std::string_view key,
                const std::vector<std::string>& keys) {
  const auto unknown = std::ranges::find_if(keys, [&](const auto& name) { return !record.has(name); });
  if (unknown != keys.end()) {
    where.report(key, fmt::format("{} is no key of the record", base::quoted(*unknown)));
  }
}

template <class Record>
void read_provenance(const ObjectReader& reader, Record& record) {
  record.unverified = reader.texts("unverified");
  check_keys(reader, reader, "unverified", record.unverified);
  reader.each("sources", [&](const ObjectReader& item) {
    record.sources.push_back({item.texts("fields"), item.text("reference"), item.text("date"), item.text("note")});
    check_keys(reader, item, "fields", record.sources.back().fields);
  });
}

hardware::Gpu gpu_fields(const ObjectReader& reader) {
  hardware::Gpu gpu;
  gpu.name = reader.text("name");
  gpu.title = reader.text("title");
  gpu.architecture = reader.text("architecture");
  gpu.compute_capability = reader.text("compute_capability");
  gpu.sm_count = reader.integer("sm_count");
  gpu.boost_clock_mhz = reader.number("boost_clock_mhz");
  gpu.memory_total = reader.bytes("memory_total_bytes");
  gpu.context_memory = reader.bytes("context_memory_bytes");
  if (gpu.context_memory >= gpu.memory_total) {
    reader.report("context_memory_bytes", "must be less than memory_total_bytes");
  }
  gpu.l2_cache = reader.bytes("l2_cache_bytes");
  gpu.l2_reported = reader.optional_bytes("l2_reported_bytes").value_or(gpu.l2_cache);
  gpu.memory_bandwidth = base::BytesPerSecond(reader.number("memory_bandwidth_bytes_per_second"));
  gpu.fp32 = reader.optional_quantity<base::FlopsPerSecond>("fp32_flops_per_second");
  gpu.tf32_tensor = reader.optional_quantity<base::FlopsPerSecond>("tf32_tensor_flops_per_second");
  gpu.fp16_tensor = reader.optional_quantity<base::FlopsPerSecond>("fp16_tensor_flops_per_second");
  gpu.bf16_tensor = reader.optional_quantity<base::FlopsPerSecond>("bf16_tensor_flops_per_second");
  gpu.nvlink = reader.optional_text("nvlink");
  gpu.nvlink_topology = reader.enumeration("nvlink_topology", gpu.nvlink_topology);
  gpu.pcie = reader.text("host_link");
  read_provenance(reader, gpu);
  return gpu;
}

void read_price(const ObjectReader& item, hardware::Machine& machine) {
  hardware::Price price;
  price.per_hour = base::Usd(item.number("usd_per_hour"));
  price.region = item.text("region");
  price.reference = item.text("reference");
  price.date = item.text("date");
  machine.price = price;
  if (const auto spot = item.optional_number("spot_usd_per_hour")) {
    price.per_hour = base::Usd(*spot);
    price.spot = true;
    machine.spot_price = price;
  }
}

hardware::Machine machine_fields(const ObjectReader& reader) {
  hardware::Machine machine;
  machine.name = reader.text("name");
  machine.provider = reader.text("provider");
  machine.gpu = reader.text("gpu");
  machine.gpu_count = reader.integer("gpu_count");
  machine.topology = reader.enumeration<hardware::Topology>("topology");
  if ((machine.gpu_count == 1) != (machine.topology == hardware::Topology::none)) {
    reader.report("topology", "must be 'none' for one GPU, and something else for several");
  }
  machine.vcpus = reader.optional_integer("vcpus");
  machine.ram = reader.optional_bytes("ram_bytes");
  machine.local_storage = reader.optional_bytes("local_storage_bytes");
  machine.network = reader.optional_quantity<base::BytesPerSecond>("network_bytes_per_second");
  reader.inside("price", [&](const ObjectReader& item) { read_price(item, machine); });
  read_provenance(reader, machine);
  return machine;
}

hardware::Storage storage_fields(const ObjectReader& reader) {
  hardware::Storage storage;
  storage.name = reader.text("name");
  storage.title = reader.text("title");
  storage.sequential_read = base::BytesPerSecond(reader.number("sequential_read_bytes_per_second"));
  storage.latency = base::Seconds(reader.number("latency_seconds"));
  storage.parallel_reads = reader.optional_integer("parallel_reads");
  read_provenance(reader, storage);
  return storage;
}

std::vector<hardware::Link> link_list(const ObjectReader& reader) {
  std::vector<hardware::Link> links;
  reader.each("links", [&](const ObjectReader& item) {
    hardware::Link link;
    link.name = item.text("name");
    link.title = item.text("title");
    link.per_direction = base::BytesPerSecond(item.number("bytes_per_second_per_direction"));
    read_provenance(item, link);
    links.push_back(std::move(link));
  });
  return links;
}

std::vector<hardware::OtherGpu> other_gpu_list(const ObjectReader& reader) {
  std::vector<hardware::OtherGpu> others;
  reader.each("gpus", [&](const ObjectReader& item) {
    others.push_back({item.text("name"), item.text("title"), item.number("gigabytes"),
                      base::FlopsPerSecond(item.number("fp32_flops_per_second"))});
  });
  return others;
}

graph::ModelSpec model_fields(const ObjectReader& reader) {
  graph::ModelSpec model;
  model.name = reader.text("name");
  model.source = reader.text("source");
  if (const std::string architecture = reader.text("architecture", graph::kVgg); architecture != graph::kVgg) {
    model.architecture = architecture;
    model.batch_norm = graph::architecture_of(architecture).batch_norm;
    return model;
  }
  for (const Json& item : reader.list("features")) {
    model.features.push_back(item.is_string() ? graph::kPool : schema::whole(item).value_or(0));
  }
  model.batch_norm = reader.boolean("batch_norm");
  model.hidden = reader.has("hidden") ? reader.integers("hidden") : model.hidden;
  model.dropout = reader.number("dropout", model.dropout);
  return model;
}

}  // namespace

std::string name_key(std::string_view name) {
  constexpr std::string_view kPrefix = "standard_";
  const std::string key = base::lower(name);
  return key.starts_with(kPrefix) ? key.substr(kPrefix.size()) : key;
}

base::Result<hardware::Gpu> read_gpu(const RecordFile& file) {
  return read_record<hardware::Gpu>(file, "gpu", gpu_fields);
}
base::Result<hardware::Machine> read_machine(const RecordFile& file) {
  return read_record<hardware::Machine>(file, "machine", machine_fields);
}
base::Result<hardware::Storage> read_storage(const RecordFile& file) {
  return read_record<hardware::Storage>(file, "storage", storage_fields);
}
base::Result<std::vector<hardware::Link>> read_links(const RecordFile& file) {
  return read_record<std::vector<hardware::Link>>(file, "links", link_list);
}
base::Result<std::vector<hardware::OtherGpu>> read_other_gpus(const RecordFile& file) {
  return read_record<std::vector<hardware::OtherGpu>>(file, "other-gpus", other_gpu_list);
}
base::Result<graph::ModelSpec> read_model(const RecordFile& file) {
  return read_record<graph::ModelSpec>(file, "model", model_fields);
}

}  // namespace vggplan::catalog
