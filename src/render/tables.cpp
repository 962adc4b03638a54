// SPDX-License-Identifier: MIT
#include "render/tables.hpp"

#include <algorithm>
#include <utility>

#include "render/figures.hpp"
#include "render/summary.hpp"

namespace vggplan::render {

namespace {

struct Spec {
  std::string_view key{};
  std::string_view heading{};
  std::string_view pointer{};  ///< within a row
  Align align{Align::right};
};

Cell cell_at(const Spec& spec, const Document& row) {
  const Document::json_pointer pointer{std::string(spec.pointer)};
  if (!row.contains(pointer)) {
    return {};
  }
  const Document& value = row.at(pointer);
  const bool estimated = value.is_object() && value.contains("value");
  return {figure(spec.key, value), estimated ? value.at("value") : value};
}

Table make_table(std::string title, const Document& rows, const std::vector<Spec>& specs) {
  Table table;
  table.title = std::move(title);
  for (const Spec& spec : specs) {
    table.columns.push_back({std::string(spec.key), std::string(spec.heading), spec.align});
  }
  for (const Document& row : rows) {
    std::vector<Cell> cells;
    for (const Spec& spec : specs) {
      cells.push_back(cell_at(spec, row));
    }
    table.rows.push_back(std::move(cells));
  }
  return table;
}

const std::vector<Spec>& layer_specs() {
  static const std::vector<Spec> kSpecs{
      {"name", "layer", "/name", Align::left},
      {"kind", "kind", "/kind", Align::left},
      {"output_shape", "shape", "/output_shape"},
      {"parameters", "parameters", "/parameters"},
      {"macs", "MACs", "/macs"},
      {"flops_forward", "FLOPs fwd", "/flops_forward"},
      {"flops_backward", "FLOPs bwd", "/flops_backward"},
      {"output_bytes", "output", "/output_bytes"},
      {"saved_bytes", "saved", "/saved_bytes"},
      {"workspace_bytes", "workspace", "/workspace_bytes"},
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
      {"accumulation", "accum.", "/settings/accumulation"},
      {"global_batch", "in all", "/settings/global_batch"},
      {"precision", "precision", "/settings/precision", Align::left},
      {"layout", "layout", "/settings/layout", Align::left},
      {"checkpointing", "checkpt.", "/settings/checkpointing", Align::left},
      {"sharding", "sharding", "/settings/sharding", Align::left},
      {"verdict", "verdict", "/memory/verdict", Align::left},
      {"allocated_peak_bytes", "allocated", "/memory/allocated_peak_bytes"},
      {"reserved_peak_bytes", "reserved", "/memory/reserved_peak_bytes"},
      {"usable_bytes", "usable", "/memory/usable_bytes"},
      {"step_seconds", "step", "/time/step_seconds"},
      {"images_per_second", "images/s", "/time/images_per_second"},
      {"bound_by", "bound by", "/time/bound_by", Align::left},
      {"total_seconds", "run", "/run/total_seconds"},
      {"cost_usd", "cost", "/run/cost_usd"},
      {"usd_per_hour", "per hour", "/run/usd_per_hour"},
      {"usd_per_million_images", "per 10^6 images", "/run/usd_per_million_images"},
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
      {"checkpointing", "checkpt.", "/job/checkpointing", Align::left},
      {"sharding", "sharding", "/job/sharding", Align::left},
      {"verdict", "verdict", "/memory/verdict", Align::left},
      {"allocated_peak_bytes", "allocated", "/memory/allocated_peak_bytes"},
      {"reserved_peak_bytes", "reserved", "/memory/reserved_peak_bytes"},
      {"usable_bytes", "usable", "/memory/usable_bytes"},
      {"headroom_bytes", "headroom", "/memory/headroom_bytes"},
      {"cache_flushes_per_step", "flushes", "/memory/cache_flushes_per_step"},
      {"step_seconds", "step", "/time/step_seconds"},
      {"images_per_second", "speed", "/time/images_per_second"},
      {"bound_by", "bound by", "/time/bound_by", Align::left},
      {"total_seconds", "run", "/run/total_seconds"},
      {"cost_usd", "cost", "/run/cost_usd"},
  };
  return kSpecs;
}

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

}  // namespace

Table layers_table(const Document& report) {
  Document rows = report.at("layers");
  if (has(report, "totals")) {
    Document totals = report.at("totals");
    totals["name"] = "total";
    rows.push_back(std::move(totals));
  }
  return make_table("Layers", rows, layer_specs());
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
  Table table = make_table(has(plan, "recommendation") ? "Alternatives to the recommendation (1)" : "Alternatives",
                           rows, alternative_specs());
  // The heading has the unit.
  for (std::vector<Cell>& row : table.rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (table.columns[i].key == "images_per_second") {
        row[i].shown.resize(std::min(row[i].shown.find(" images"), row[i].shown.size()));
      }
    }
  }
  return table;
}

Table max_batch_table(const Document& plan) {
  Table table = make_table("Largest batch per GPU", plan.at("max_batch"),
                           {{"gpu", "GPU", "/gpu", Align::left},
                            {"gpu_count", "GPUs", "/gpu_count"},
                            {"precision", "precision", "/precision", Align::left},
                            {"layout", "layout", "/layout", Align::left},
                            {"checkpointing", "checkpointing", "/checkpointing", Align::left},
                            {"sharding", "sharding", "/sharding", Align::left},
                            {"usable_bytes", "usable", "/usable_bytes"},
                            {"steady", "batch", "/steady"},
                            {"hard", "with flushes", "/hard"}});
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    if (plan.at("max_batch").at(i).value("limited_by_search", false)) {
      table.rows[i].back().shown += " or more";
    }
  }
  return table;
}

Table remedies_table(const Document& plan) {
  return make_table(remedies_title(plan), plan.at("remedies"),
                    {{"change", "change", "/change", Align::left},
                     {"saves", "saves", "/saves", Align::left},
                     {"costs", "costs", "/costs", Align::left}});
}

Table rejected_table(const Document& plan) {
  return make_table("Rejected", plan.at("rejected"),
                    {{"count", "settings", "/count"},
                     {"message", "because", "/message", Align::left},
                     {"nearest_miss_bytes", "nearest miss", "/nearest_miss_bytes"},
                     {"example", "example", "/example", Align::left}});
}

Table points_table(const Document& estimates) {
  std::vector<std::string> texts;  // what the specs of the swept flags point into
  std::vector<Spec> specs;
  if (!estimates.empty() && has(estimates.at(0), "point")) {
    for (const auto& [key, value] : estimates.at(0).at("point").items()) {
      texts.push_back(key);
      texts.push_back("/point/" + key);
    }
  }
  for (std::size_t i = 0; i < texts.size(); i += 2) {
    specs.push_back({texts[i], texts[i], texts[i + 1]});
  }
  for (const Spec& spec : point_specs()) {
    const auto swept = [&](const Spec& other) { return other.key == spec.key; };
    if (std::none_of(specs.begin(), specs.end(), swept)) {
      specs.push_back(spec);
    }
  }
  return make_table("Points", estimates, specs);
}

Table by_batch_table(const Document& estimate) {
  return make_table("By batch", estimate.at("by_batch"),
                    {{"batch", "batch", "/batch"},
                     {"verdict", "verdict", "/verdict", Align::left},
                     {"reserved_peak_bytes", "reserved", "/reserved_peak_bytes"},
                     {"step_seconds", "step", "/step_seconds"},
                     {"images_per_second", "speed", "/images_per_second"}});
}

Table catalogue_table(const Document& report) {
  const std::string_view kind = report::kind(report);
  return kind == "gpus"       ? catalogue_gpus(report)
         : kind == "machines" ? catalogue_machines(report)
                              : catalogue_models(report);
}

Table diff_inputs_table(const Document& report) {
  Table table = make_table("Inputs that differ", report.at("inputs"),
                           {{"name", "input", "/name", Align::left}, {"old", "old", "/old"}, {"new", "new", "/new"}});
  for (std::vector<Cell>& row : table.rows) {
    const std::string& name = row[0].raw.get_ref<const std::string&>();
    for (const std::size_t column : {1U, 2U}) {
      row[column].shown = figure(name, row[column].raw);
    }
  }
  return table;
}

namespace {

void sign(Cell& change) {
  if (change.raw.is_number() && change.raw.get<double>() > 0) {
    change.shown.insert(0, "+");
  }
}

}  // namespace

Table diff_table(const Document& report) {
  Table table = make_table("Figures that differ", report.at("changes"),
                           {{"metric", "metric", "/metric", Align::left},
                            {"old", "old", "/old"},
                            {"new", "new", "/new"},
                            {"delta", "change", "/delta"},
                            {"delta_percent", "percent", "/delta_percent"}});
  // The metric's name says the unit of its row, and a change says its direction.
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const Document& change = report.at("changes").at(i);
    const std::string metric = unit_key(change.at("metric").get<std::string>());
    table.rows[i][0].shown = metric_words(change.at("metric").get<std::string>());
    for (std::size_t column = 1; column <= 3; ++column) {
      const std::string& key = table.columns[column].key;
      if (has(change, key)) {
        table.rows[i][column].shown = figure(metric, change.at(key));
      }
    }
    sign(table.rows[i][3]);
    sign(table.rows[i][4]);
  }
  return table;
}

namespace {

/// Figures that follow from others: for those who ask.
bool follows_from_others(const std::string& metric) {
  for (const std::string_view name : {"memory.phases.", "memory.first_step", "memory.steady", "memory.after_forward",
                                      "memory.device_used", "memory.headroom", "input.", "time.input"}) {
    if (metric.starts_with(name)) {
      return true;
    }
  }
  return false;
}

}  // namespace

Table main_changes_table(const Document& report) {
  Table table = diff_table(report);
  std::erase_if(table.rows,
                [](const std::vector<Cell>& row) { return follows_from_others(row.front().raw.get<std::string>()); });
  return table;
}

Table attribution_table(const Document& report) {
  Table table;
  table.title = "What each input changes, one after the other";
  table.columns = {{"input", "input", Align::left},
                   {"reserved_peak_bytes", "reserved"},
                   {"allocated_peak_bytes", "allocated"},
                   {"step_seconds", "step"},
                   {"images_per_second", "speed"}};
  if (!has(report, "attribution")) {
    return table;
  }
  for (const Document& row : report.at("attribution")) {
    std::vector<Cell> cells{{words(row.at("input").get<std::string>()), row.at("input")}};
    for (const auto& [metric, delta] : row.at("effects").items()) {
      cells.push_back({figure(metric, delta), delta});
      sign(cells.back());
    }
    cells.resize(table.columns.size());
    const bool idle = std::all_of(cells.begin() + 1, cells.end(), [](const Cell& cell) { return cell.raw == 0; });
    if (!idle) {
      table.rows.push_back(std::move(cells));
    }
  }
  return table;
}

Table check_table(const Document& report) {
  Table table = make_table("Checks", report.at("checks"),
                           {{"passed", "", "/passed", Align::left},
                            {"metric", "metric", "/metric", Align::left},
                            {"base", "base", "/base"},
                            {"actual", "actual", "/actual"},
                            {"delta", "change", "/delta"},
                            {"limit", "limit", "/limit"},
                            {"severity", "severity", "/severity", Align::left}});
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const Document& check = report.at("checks").at(i);
    const std::string metric = unit_key(check.at("metric").get<std::string>());
    table.rows[i][1].shown = metric_words(check.at("metric").get<std::string>());
    const bool warns = check.at("severity") == "warn";
    table.rows[i][0].shown = check.at("passed").get<bool>() ? "ok" : warns ? "warn" : "FAIL";
    for (std::size_t column = 2; column <= 5; ++column) {
      const std::string& key = table.columns[column].key;
      if (has(check, key) && check.at(key).is_number()) {
        table.rows[i][column].shown = figure(metric, check.at(key));
      }
    }
    sign(table.rows[i][4]);
  }
  return table;
}

Table assumptions_table(const Document& report) {
  return make_table("Assumptions", report.at("assumptions"),
                    {{"name", "name", "/name", Align::left},
                     {"value", "value", "/value", Align::left},
                     {"source", "source", "/source", Align::left}});
}

Table memory_table(const Document& estimate) {
  Table table;
  table.columns = {{"", "at the peak", Align::left}, {"", "bytes"}, {"", "of usable"}};
  const double usable = number(estimate.at("memory").at("usable_bytes"));
  for (const MemoryPart& part : memory_parts(estimate.at("memory"))) {
    table.rows.push_back({{part.label, {}}, {binary_bytes(part.bytes), {}}, {percent(part.bytes / usable), {}}});
  }
  return table;
}

Table main_table(const Document& report) {
  const std::string_view kind = report::kind(report);
  if (kind == "estimate") {
    return points_table(Document::array({report}));
  }
  if (kind == "sweep") {
    return points_table(report.at("points"));
  }
  if (kind == "plan") {
    return alternatives_table(report);
  }
  if (kind == "layers") {
    return layers_table(report);
  }
  if (kind == "diff") {
    return diff_table(report);
  }
  return kind == "check" ? check_table(report) : catalogue_table(report);
}

}  // namespace vggplan::render
