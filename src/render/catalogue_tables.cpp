// SPDX-License-Identifier: MIT
// What is known of GPUs, machines and models.
#include <stdexcept>

#include "render/tables.hpp"

namespace vggplan::render {

namespace {

Table catalogue_gpus(const Document& report) {
  return make_table(report.at("gpus"),
                    {{"name", "name", "/name", Align::left},
                     {"title", "title", "/title", Align::left, 9},
                     {"architecture", "architecture", "/architecture", Align::left, 8},
                     {"memory_total_bytes", "memory", "/memory_total_bytes"},
                     {"usable_bytes", "usable", "/usable_bytes", Align::right, 4},
                     {"memory_bytes_per_second", "bandwidth", "/memory_bytes_per_second"},
                     {"fp32_flops_per_second", "fp32", "/fp32_flops_per_second", Align::right, 7},
                     {"tf32_tensor_flops_per_second", "tf32", "/tf32_tensor_flops_per_second", Align::right, 6},
                     {"bf16_tensor_flops_per_second", "bf16", "/bf16_tensor_flops_per_second"},
                     {"fp16_tensor_flops_per_second", "fp16", "/fp16_tensor_flops_per_second", Align::right, 5},
                     {"aliases", "also", "/aliases", Align::left}});
}

Table catalogue_machines(const Document& report) {
  return make_table(report.at("machines"), {{"name", "name", "/name", Align::left},
                                            {"provider", "provider", "/provider", Align::left, 3},
                                            {"gpu", "GPU", "/gpu", Align::left},
                                            {"gpu_count", "GPUs", "/gpu_count"},
                                            {"topology", "links", "/topology", Align::left, 9},
                                            {"vcpus", "vCPUs", "/vcpus"},
                                            {"ram_bytes", "RAM", "/ram_bytes"},
                                            {"price_usd_per_hour", "per hour", "/price_usd_per_hour"},
                                            {"price_date", "priced", "/price_date", Align::left, 8}});
}

Table catalogue_models(const Document& report) {
  return make_table(report.at("models"), {{"name", "name", "/name", Align::left},
                                          {"convolutions", "convolutions", "/convolutions"},
                                          {"batch_norm", "batch norm", "/batch_norm", Align::left},
                                          {"parameters", "parameters", "/parameters"},
                                          {"macs_forward", "MACs at 224x224", "/macs_forward"}});
}

}  // namespace

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
