// SPDX-License-Identifier: MIT
// What is known of GPUs, machines and models.
#include <stdexcept>

#include "render/figures.hpp"
#include "render/table_spec.hpp"
#include "render/tables.hpp"

namespace vggplan::render {

namespace {

Table catalogue_gpus(const Document& report) {
  return make_table("GPUs", report.at("gpus"),
                    {{"name", "name", "/name", Align::left},
                     {"title", "title", "/title", Align::left},
                     {"architecture", "architecture", "/architecture", Align::left},
                     {"memory_total_bytes", "memory", "/memory_total_bytes"},
                     {"usable_bytes", "usable", "/usable_bytes"},
                     {"memory_bytes_per_second", "bandwidth", "/memory_bytes_per_second"},
                     {"fp32_flops_per_second", "fp32", "/fp32_flops_per_second"},
                     {"tf32_tensor_flops_per_second", "tf32", "/tf32_tensor_flops_per_second"},
                     {"bf16_tensor_flops_per_second", "bf16", "/bf16_tensor_flops_per_second"},
                     {"fp16_tensor_flops_per_second", "fp16", "/fp16_tensor_flops_per_second"},
                     {"aliases", "also", "/aliases", Align::left}});
}

Table catalogue_machines(const Document& report) {
  return make_table("Machines", report.at("machines"),
                    {{"name", "name", "/name", Align::left},
                     {"provider", "provider", "/provider", Align::left},
                     {"gpu", "GPU", "/gpu", Align::left},
                     {"gpu_count", "GPUs", "/gpu_count"},
                     {"topology", "links", "/topology", Align::left},
                     {"vcpus", "vCPUs", "/vcpus"},
                     {"ram_bytes", "RAM", "/ram_bytes"},
                     {"price_usd_per_hour", "per hour", "/price_usd_per_hour"},
                     {"price_date", "priced", "/price_date", Align::left}});
}

Table catalogue_models(const Document& report) {
  return make_table("Models", report.at("models"),
                    {{"name", "name", "/name", Align::left},
                     {"convolutions", "convolutions", "/convolutions"},
                     {"batch_norm", "batch norm", "/batch_norm", Align::left},
                     {"parameters", "parameters", "/parameters"},
                     {"macs_forward", "MACs at 224x224", "/macs_forward"}});
}

std::string record_label(const std::string& key) {
  if (key == "memory_bytes_per_second") {
    return "memory bandwidth";
  }
  if (key == "price_usd_per_hour") {
    return "price per hour";
  }
  return key == "sm_count" ? "multiprocessors" : words(without_unit(key));
}

const Document& records(const Document& report) {
  return report.at(std::string(base::name_of_enum(report::kind(report))));
}

}  // namespace

bool has_one_record(const Document& report) { return records(report).size() == 1; }

Table record_table(const Document& report) {
  const Document& record = records(report).at(0);
  Table table;
  table.title = record.at("name").get<std::string>();
  table.columns = {{"", "", Align::left}, {"", "", Align::left}};
  for (const auto& [key, value] : record.items()) {
    if (key != "sources" && !(value.is_array() && value.empty())) {
      table.rows.push_back({{record_label(key), key}, {figure(key, value), value}});
    }
  }
  return table;
}

Table sources_table(const Document& report) {
  const Document& record = records(report).at(0);
  return make_table("Sources", has(record, "sources") ? record.at("sources") : Document::array(),
                    {{"reference", "source", "/reference", Align::left},
                     {"date", "date", "/date", Align::left},
                     {"note", "note", "/note", Align::left}});
}

Table catalogue_table(const Document& report) {
  switch (report::kind(report)) {
    case report::Kind::gpus: return catalogue_gpus(report);
    case report::Kind::machines: return catalogue_machines(report);
    case report::Kind::models: return catalogue_models(report);
    case report::Kind::estimate:
    case report::Kind::plan:
    case report::Kind::layers:
    case report::Kind::sweep:
    case report::Kind::diff:
    case report::Kind::check: break;
  }
  throw std::logic_error("not a report of the catalogue");
}

}  // namespace vggplan::render
