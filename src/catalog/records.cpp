// SPDX-License-Identifier: MIT
#include "catalog/records.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "catalog/read_record.hpp"
#include "vggplan/base/ascii.hpp"
#include "vggplan/base/format.hpp"
#include "vggplan/catalog/json_reader.hpp"
#include "vggplan/graph/architectures.hpp"

namespace vggplan::catalog {

namespace {

using nlohmann::json;

constexpr std::int64_t kMostSms = 4096;
constexpr std::int64_t kMostVcpus = 1'000'000;
constexpr std::int64_t kMostParallelReads = 1'000'000;
using graph::kMostChannels;
using graph::kMostFeatures;
using graph::kMostHidden;

/// Notes on figures must name keys of the record that they are on.
void check_keys(ObjectReader& owner, ObjectReader& where, std::string_view key, const std::vector<std::string>& keys) {
  const auto unknown = std::ranges::find_if(keys, [&](const auto& name) { return !owner.knows(name); });
  if (unknown != keys.end()) {
    where.report(key, fmt::format("{} is no key of the record", base::quoted(*unknown)), "");
  }
}

/// Call it after the figures have been read: it checks names against them.
template <class Record>
void read_provenance(ObjectReader& reader, Record& record) {
  record.unverified = reader.texts("unverified");
  check_keys(reader, reader, "unverified", record.unverified);
  if (const json* list = reader.array("sources", true); list != nullptr && list->empty()) {
    reader.report("sources", "must not be empty", "name where the figures come from");
  }
  reader.each("sources", [&](ObjectReader& item) {
    hardware::Source source;
    source.fields = item.texts("fields");
    check_keys(reader, item, "fields", source.fields);
    source.reference = item.text("reference");
    source.date = item.optional_text("date").value_or("");
    source.note = item.optional_text("note").value_or("");
    record.sources.push_back(std::move(source));
  });
}

void check_compute_capability(ObjectReader& reader, const std::string& text) {
  const bool shape = (text.size() == 3 || text.size() == 4) && text[text.size() - 2] == '.' &&
                     base::is_digit(text.back()) && std::all_of(text.begin(), text.end() - 2, base::is_digit);
  if (!shape) {
    reader.report("compute_capability", fmt::format("must be like '8.0', not {}", base::quoted(text)), "");
  }
}

void read_nvlink(ObjectReader& reader, hardware::Gpu& gpu) {
  gpu.nvlink = reader.optional_name("nvlink");
  reader.skip("nvlink_topology");
  if (gpu.nvlink) {
    gpu.nvlink_topology = reader.enumeration<hardware::Topology>("nvlink_topology");
  } else if (reader.has("nvlink_topology")) {
    reader.report("nvlink_topology", "says how a link is used, but there is no 'nvlink'", "add it or leave both out");
  }
}

hardware::Gpu gpu_fields(ObjectReader& reader) {
  hardware::Gpu gpu;
  gpu.name = reader.name("name");
  gpu.title = reader.text("title");
  gpu.architecture = reader.text("architecture");
  gpu.compute_capability = reader.text("compute_capability");
  check_compute_capability(reader, gpu.compute_capability);
  gpu.sm_count = reader.integer("sm_count", 1, kMostSms);
  gpu.boost_clock_mhz = reader.number("boost_clock_mhz", {0, 10'000, true, false});
  gpu.memory_total = reader.bytes("memory_total_bytes");
  gpu.context_memory = reader.bytes("context_memory_bytes", 0);
  if (gpu.context_memory >= gpu.memory_total) {
    reader.report("context_memory_bytes", "must be less than memory_total_bytes", "");
  }
  gpu.l2_cache = reader.bytes("l2_cache_bytes");
  gpu.l2_reported = reader.optional_bytes("l2_reported_bytes").value_or(gpu.l2_cache);
  gpu.memory_bandwidth = base::BytesPerSecond(reader.number("memory_bandwidth_bytes_per_second", kRate));
  gpu.fp32 = reader.optional_quantity<base::FlopsPerSecond>("fp32_flops_per_second");
  gpu.tf32_tensor = reader.optional_quantity<base::FlopsPerSecond>("tf32_tensor_flops_per_second");
  gpu.fp16_tensor = reader.optional_quantity<base::FlopsPerSecond>("fp16_tensor_flops_per_second");
  gpu.bf16_tensor = reader.optional_quantity<base::FlopsPerSecond>("bf16_tensor_flops_per_second");
  read_nvlink(reader, gpu);
  gpu.pcie = reader.name("host_link");
  read_provenance(reader, gpu);
  return gpu;
}

void read_price(ObjectReader& item, hardware::Machine& machine) {
  hardware::Price price;
  price.per_hour = base::Usd(item.number("usd_per_hour", kPrice));
  price.region = item.optional_text("region").value_or("");
  price.reference = item.text("reference");
  price.date = item.text("date");
  machine.price = price;
  if (const auto spot = item.optional_number("spot_usd_per_hour", kPrice)) {
    price.per_hour = base::Usd(*spot);
    price.spot = true;
    machine.spot_price = price;
  }
}

hardware::Machine machine_fields(ObjectReader& reader) {
  hardware::Machine machine;
  machine.name = reader.name("name");
  machine.provider = reader.text("provider");
  machine.gpu = reader.name("gpu");
  machine.gpu_count = reader.integer("gpu_count", 1, hardware::kMostGpus);
  machine.topology = reader.enumeration<hardware::Topology>("topology");
  if ((machine.gpu_count == 1) != (machine.topology == hardware::Topology::none)) {
    reader.report("topology", "must be 'none' for one GPU, and something else for several", "");
  }
  machine.vcpus = reader.optional_integer("vcpus", 1, kMostVcpus);
  machine.ram = reader.optional_bytes("ram_bytes");
  machine.local_storage = reader.optional_bytes("local_storage_bytes");
  machine.network = reader.optional_quantity<base::BytesPerSecond>("network_bytes_per_second");
  reader.inside(
      "price", [&](ObjectReader& item) { read_price(item, machine); }, false);
  read_provenance(reader, machine);
  return machine;
}

hardware::Storage storage_fields(ObjectReader& reader) {
  hardware::Storage storage;
  storage.name = reader.name("name");
  storage.title = reader.text("title");
  storage.sequential_read = base::BytesPerSecond(reader.number("sequential_read_bytes_per_second", kRate));
  storage.latency = base::Seconds(reader.number("latency_seconds", {0, 3600}));
  storage.parallel_reads = reader.optional_integer("parallel_reads", 1, kMostParallelReads);
  read_provenance(reader, storage);
  return storage;
}

std::vector<hardware::Link> link_list(ObjectReader& reader) {
  std::vector<hardware::Link> links;
  reader.each("links", [&](ObjectReader& item) {
    hardware::Link link;
    link.name = item.name("name");
    link.title = item.text("title");
    link.per_direction = base::BytesPerSecond(item.number("bytes_per_second_per_direction", kRate));
    read_provenance(item, link);
    links.push_back(std::move(link));
  });
  return links;
}

std::vector<hardware::OtherGpu> other_gpu_list(ObjectReader& reader) {
  reader.skip("sources");
  std::vector<hardware::OtherGpu> others;
  reader.each("gpus", [&](ObjectReader& item) {
    others.push_back({item.name("name"), item.text("title"), item.number("gigabytes", {0, 1e6, true, false}),
                      base::FlopsPerSecond(item.number("fp32_flops_per_second", kRate))});
  });
  return others;
}

bool width_in(const json& value, std::int64_t most) { return value.is_number_integer() && value >= 1 && value <= most; }

void read_features(ObjectReader& reader, graph::ModelSpec& model) {
  const json* list = reader.array("features", true);
  if (list == nullptr) {
    return;
  }
  if (list->empty() || list->size() > kMostFeatures) {
    reader.report("features", fmt::format("must hold from 1 to {} entries, not {}", kMostFeatures, list->size()), "");
    return;
  }
  for (const json& item : *list) {
    if (item == "M") {
      model.features.push_back(graph::kPool);
    } else if (width_in(item, kMostChannels)) {
      model.features.push_back(item.get<std::int64_t>());
    } else {
      reader.report("features",
                    fmt::format("entry {} must be a width from 1 to {} or \"M\", not {}", model.features.size(),
                                kMostChannels, base::quoted(item.dump(-1, ' ', true, json::error_handler_t::replace))),
                    "\"M\" stands for a max pooling");
      return;
    }
  }
  if (model.features.front() == graph::kPool) {
    reader.report("features", "must begin with a convolution", "put a width before the first \"M\"");
  }
}

void read_hidden(ObjectReader& reader, graph::ModelSpec& model) {
  const json* list = reader.array("hidden", false);
  if (list == nullptr) {
    return;
  }
  model.hidden.clear();
  if (list->size() > kMostHidden) {
    reader.report("hidden", fmt::format("must hold at most {} entries, not {}", kMostHidden, list->size()), "");
    return;
  }
  for (const json& item : *list) {
    if (!width_in(item, kMostChannels)) {
      reader.report("hidden", fmt::format("entry {} must be a width from 1 to {}", model.hidden.size(), kMostChannels),
                    "");
      return;
    }
    model.hidden.push_back(item.get<std::int64_t>());
  }
}

void check_architecture(ObjectReader& reader, std::string_view name) {
  std::vector<std::string_view> known{graph::kVgg};
  for (const graph::Architecture& architecture : graph::architectures()) {
    known.push_back(architecture.name);
  }
  if (std::ranges::find(known, name) == known.end()) {
    reader.report("architecture", fmt::format("there is no architecture {}", base::quoted(name)),
                  fmt::format("give one of {}", fmt::join(known, ", ")));
  }
}

graph::ModelSpec model_fields(ObjectReader& reader) {
  graph::ModelSpec model;
  model.name = reader.name("name");
  if (const auto architecture = reader.optional_name("architecture"); architecture && *architecture != graph::kVgg) {
    model.architecture = *architecture;
    check_architecture(reader, model.architecture);
    model.batch_norm = graph::architecture_of(model.architecture).batch_norm;
    model.source = reader.optional_text("source").value_or("");
    return model;
  }
  read_features(reader, model);
  model.batch_norm = reader.boolean("batch_norm");
  read_hidden(reader, model);
  model.dropout = reader.optional_number("dropout", {0, 1, false, true}).value_or(model.dropout);
  model.source = reader.optional_text("source").value_or("");
  return model;
}

}  // namespace

std::string name_key(std::string_view name) {
  constexpr std::string_view kPrefix = "standard_";
  const std::string key = base::lower(name);
  return key.starts_with(kPrefix) ? key.substr(kPrefix.size()) : key;
}

base::Result<hardware::Gpu> read_gpu(std::string_view text, const std::string& shown) {
  return read_record<hardware::Gpu>(text, shown, "gpu", gpu_fields);
}
base::Result<hardware::Machine> read_machine(std::string_view text, const std::string& shown) {
  return read_record<hardware::Machine>(text, shown, "machine", machine_fields);
}
base::Result<hardware::Storage> read_storage(std::string_view text, const std::string& shown) {
  return read_record<hardware::Storage>(text, shown, "storage", storage_fields);
}
base::Result<std::vector<hardware::Link>> read_links(std::string_view text, const std::string& shown) {
  return read_record<std::vector<hardware::Link>>(text, shown, "links", link_list);
}
base::Result<std::vector<hardware::OtherGpu>> read_other_gpus(std::string_view text, const std::string& shown) {
  return read_record<std::vector<hardware::OtherGpu>>(text, shown, "other-gpus", other_gpu_list);
}
base::Result<graph::ModelSpec> read_model(std::string_view text, const std::string& shown) {
  return read_record<graph::ModelSpec>(text, shown, "model", model_fields);
}

}  // namespace vggplan::catalog
