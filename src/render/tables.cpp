// SPDX-License-Identifier: MIT
#include "render/tables.hpp"

#include <algorithm>
#include <utility>

#include "render/figures.hpp"
#include "vggplan/base/names.hpp"

namespace vggplan::render {

namespace {

const std::vector<Spec>& layer_specs() {
  static const std::vector<Spec> kSpecs{
      {"name", "layer", "/name", Align::left},
      {"kind", "kind", "/kind", Align::left, 3},
      {"output_shape", "shape", "/output_shape"},
      {"parameters", "parameters", "/parameters"},
      {"macs", "MACs", "/macs"},
      {"flops_forward", "FLOPs fwd", "/flops_forward", Align::right, 4},
      {"flops_backward", "FLOPs bwd", "/flops_backward", Align::right, 5},
      {"output_bytes", "output", "/output_bytes", Align::right, 1},
      {"saved_bytes", "saved", "/saved_bytes"},
      {"workspace_bytes", "workspace", "/workspace_bytes", Align::right, 2},
      {"forward_seconds", "forward", "/forward_seconds"},
      {"backward_seconds", "backward", "/backward_seconds"},
  };
  return kSpecs;
}

const std::vector<Spec>& alternative_specs() {
  static const std::vector<Spec> kSpecs{
      {"rank", "#", "/rank"},
      {"gpu", "GPU", "/settings/gpu", Align::left},
      {"gpu_count", "GPUs", "/settings/gpu_count"},
      {"batch", "batch", "/settings/batch"},
      {"accumulation", "accum.", "/settings/accumulation", Align::right, 18},
      {"global_batch", "in all", "/settings/global_batch", Align::right, 16},
      {"precision", "precision", "/settings/precision", Align::left},
      {"layout", "layout", "/settings/layout", Align::left, 8},
      {"checkpointing", "checkpointing", "/settings/checkpointing", Align::left, 9},
      {"sharding", "sharding", "/settings/sharding", Align::left, 10},
      {"verdict", "verdict", "/memory/verdict", Align::left, 19},
      {"allocated_peak_bytes", "allocated", "/memory/allocated_peak_bytes", Align::right, 15},
      {"reserved_peak_bytes", "reserved", "/memory/reserved_peak_bytes", Align::right, 11},
      {"usable_bytes", "usable", "/memory/usable_bytes", Align::right, 20},
      {"step_seconds", "GPU step", "/time/step_seconds", Align::right, 12},
      {"images_per_second", "images/s", "/time/images_per_second"},
      {"bound_by", "bound by", "/time/bound_by", Align::left, 17},
      {"total_seconds", "run", "/run/total_seconds"},
      {"cost_usd", "cost", "/run/cost_usd"},
      {"usd_per_hour", "per hour", "/run/usd_per_hour", Align::right, 14},
      {"usd_per_million_images", "per 10^6 images", "/run/usd_per_million_images", Align::right, 13},
  };
  return kSpecs;
}

/// The recommendation in the shape of an alternative.
Document as_alternative(const Document& recommendation) {
  Document row = {{"settings", recommendation.at("launch")},
                  {"memory", recommendation.at("memory")},
                  {"time", recommendation.at("time")}};
  row["run"] = has(recommendation, "run") ? recommendation.at("run") : Document::object();
  row["run"].update(recommendation.value("rates", Document::object()));
  return row;
}

const std::vector<Spec>& point_specs() {
  static const std::vector<Spec> kSpecs{
      {"model", "model", "/job/model", Align::left},
      {"head", "head", "/job/head", Align::left},
      {"height", "height", "/job/height"},
      {"width", "width", "/job/width"},
      {"channels", "channels", "/job/channels"},
      {"classes", "classes", "/job/classes"},
      {"mode", "mode", "/job/mode", Align::left},
      {"gpu", "GPU", "/machine/gpu", Align::left},
      {"gpu_count", "GPUs", "/machine/gpu_count"},
      {"nodes", "nodes", "/machine/nodes"},
      {"batch", "batch", "/job/batch"},
      {"accumulation", "accum.", "/job/accumulation"},
      {"global_batch", "in all", "/job/global_batch"},
      {"precision", "precision", "/job/precision", Align::left},
      {"layout", "layout", "/job/layout", Align::left},
      {"optimizer", "optimizer", "/job/optimizer", Align::left},
      {"optimizer_impl", "impl.", "/job/optimizer_impl", Align::left},
      {"checkpointing", "checkpointing", "/job/checkpointing", Align::left},
      {"sharding", "sharding", "/job/sharding", Align::left},
      {"verdict", "verdict", "/memory/verdict", Align::left},
      {"allocated_peak_bytes", "allocated", "/memory/allocated_peak_bytes"},
      {"reserved_peak_bytes", "reserved", "/memory/reserved_peak_bytes"},
      {"usable_bytes", "usable", "/memory/usable_bytes"},
      {"headroom_bytes", "headroom", "/memory/headroom_bytes"},
      {"cache_flushes_per_step", "flushes", "/memory/cache_flushes_per_step"},
      {"step_seconds", "GPU step", "/time/step_seconds"},
      {"images_per_second", "speed", "/time/images_per_second"},
      {"bound_by", "bound by", "/time/bound_by", Align::left},
      {"total_seconds", "run", "/run/total_seconds"},
      {"cost_usd", "cost", "/run/cost_usd"},
  };
  return kSpecs;
}

Table gpus_table(const Document& report) {
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

Table machines_table(const Document& report) {
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

Table models_table(const Document& report) {
  return make_table(report.at("models"), {{"name", "name", "/name", Align::left},
                                          {"convolutions", "convolutions", "/convolutions"},
                                          {"batch_norm", "batch norm", "/batch_norm", Align::left},
                                          {"parameters", "parameters", "/parameters"},
                                          {"macs_forward", "MACs at 224x224", "/macs_forward"}});
}

}  // namespace

Table layers_table(const Document& report) {
  Document rows = report.at("layers");
  if (has(report, "totals")) {
    Document totals = report.at("totals");
    totals["name"] = "total";
    rows.push_back(std::move(totals));
  }
  return make_table(rows, layer_specs());
}

Table alternatives_table(const Document& plan) {
  Document rows = Document::array();
  std::int64_t rank = 1;
  if (has(plan, "recommendation")) {
    rows.push_back(as_alternative(plan.at("recommendation")));
    rows.back()["rank"] = rank++;
  }
  for (const Document& alternative : plan.at("alternatives")) {
    rows.push_back(alternative);
    rows.back()["rank"] = rank++;
  }
  Table table = make_table(rows, alternative_specs());
  // The heading has the unit.
  for (Row& row : table.rows) {
    std::string& speed = cell_of(table, row, "images_per_second").shown;
    speed.resize(std::min(speed.find(" images"), speed.size()));
  }
  return table;
}

Table max_batch_table(const Document& cells) {
  Table table = make_table(cells, {{"gpu", "GPU", "/gpu", Align::left},
                                   {"gpu_count", "GPUs", "/gpu_count", Align::right, 2},
                                   {"precision", "precision", "/precision", Align::left},
                                   {"layout", "layout", "/layout", Align::left},
                                   {"checkpointing", "checkpointing", "/checkpointing", Align::left},
                                   {"sharding", "sharding", "/sharding", Align::left, 3},
                                   {"usable_bytes", "usable", "/usable_bytes", Align::right, 4},
                                   {"steady", "batch", "/steady"},
                                   {"hard", "with cache flushes", "/hard"},
                                   {"possible", "some up to", "/possible"}});
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    cell_of(table, table.rows[i], "hard").shown += cells.at(i).value("limited_by_search", false) ? " or more" : "";
  }
  return table;
}

Table points_table(const Document& estimates) {
  struct Swept {
    std::string key{};
    std::string heading{};
    std::string pointer{};
    Align align{};
  };
  std::vector<Swept> swept;  // what the specs of the swept flags point into
  if (!estimates.empty() && has(estimates.at(0), "point")) {
    for (const auto& [key, value] : estimates.at(0).at("point").items()) {
      swept.push_back({key, base::with_dashes(key), "/point/" + key, is_word(value) ? Align::left : Align::right});
    }
  }
  std::vector<Spec> specs;
  for (const Swept& flag : swept) {
    specs.push_back({flag.key, flag.heading, flag.pointer, flag.align});
  }
  for (const Spec& spec : point_specs()) {
    const auto same = [&](const Spec& other) { return other.key == spec.key; };
    if (std::none_of(specs.begin(), specs.end(), same)) {
      specs.push_back(spec);
    }
  }
  return make_table(estimates, specs);
}

Table by_batch_table(const Document& estimate) {
  return make_table(estimate.at("by_batch"), {{"batch", "batch", "/batch"},
                                              {"verdict", "verdict", "/verdict", Align::left},
                                              {"reserved_peak_bytes", "reserved", "/reserved_peak_bytes"},
                                              {"step_seconds", "GPU step", "/step_seconds"},
                                              {"images_per_second", "speed", "/images_per_second"}});
}

Table main_table(const Document& report) {
  switch (report::kind(report)) {
    case report::Kind::estimate: return points_table(Document::array({report}));
    case report::Kind::sweep: return points_table(report.at("points"));
    case report::Kind::plan: return alternatives_table(report);
    case report::Kind::layers: return layers_table(report);
    case report::Kind::gpus: return gpus_table(report);
    case report::Kind::machines: return machines_table(report);
    case report::Kind::models: return models_table(report);
    case report::Kind::diff: return changes_table(report);
    case report::Kind::check: return check_table(report);
  }
  return {};
}

}  // namespace vggplan::render
