// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "render/figures.hpp"
#include "render/table.hpp"
#include "vggplan/base/names.hpp"

namespace vggplan::render {

namespace {

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
      {"/job/model", "model", Align::left},
      {"/job/head", "head", Align::left},
      {"/job/height", "height"},
      {"/job/width", "width"},
      {"/job/channels", "channels"},
      {"/job/classes", "classes"},
      {"/job/mode", "mode", Align::left},
      {"/machine/gpu", "GPU", Align::left},
      {"/machine/gpu_count", "GPUs"},
      {"/machine/nodes", "nodes"},
      {"/job/batch", "batch"},
      {"/job/accumulation", "accum."},
      {"/job/global_batch", "in all"},
      {"/job/precision", "precision", Align::left},
      {"/job/layout", "layout", Align::left},
      {"/job/optimizer", "optimizer", Align::left},
      {"/job/optimizer_impl", "impl.", Align::left},
      {"/job/checkpointing", "checkpointing", Align::left},
      {"/job/sharding", "sharding", Align::left},
      {"/memory/verdict", "verdict", Align::left},
      {"/memory/allocated_peak_bytes", "allocated"},
      {"/memory/reserved_peak_bytes", "reserved"},
      {"/memory/usable_bytes", "usable"},
      {"/memory/headroom_bytes", "headroom"},
      {"/memory/cache_flushes_per_step", "flushes"},
      {"/time/step_seconds", "GPU step"},
      {"/time/images_per_second", "speed"},
      {"/time/bound_by", "bound by", Align::left},
      {"/run/total_seconds", "run"},
      {"/run/cost_usd", "cost"},
  };
  return kSpecs;
}

Table gpus_table(const Document& report) {
  return make_table(report.at("gpus"), {{"/name", "name", Align::left},
                                        {"/title", "title", Align::left, 9},
                                        {"/architecture", "architecture", Align::left, 8},
                                        {"/memory_total_bytes", "memory"},
                                        {"/usable_bytes", "usable", Align::right, 4},
                                        {"/memory_bytes_per_second", "bandwidth"},
                                        {"/fp32_flops_per_second", "fp32", Align::right, 7},
                                        {"/tf32_tensor_flops_per_second", "tf32", Align::right, 6},
                                        {"/bf16_tensor_flops_per_second", "bf16"},
                                        {"/fp16_tensor_flops_per_second", "fp16", Align::right, 5},
                                        {"/aliases", "also", Align::left}});
}

Table machines_table(const Document& report) {
  return make_table(report.at("machines"), {{"/name", "name", Align::left},
                                            {"/provider", "provider", Align::left, 3},
                                            {"/gpu", "GPU", Align::left},
                                            {"/gpu_count", "GPUs"},
                                            {"/topology", "links", Align::left, 9},
                                            {"/vcpus", "vCPUs"},
                                            {"/ram_bytes", "RAM"},
                                            {"/price_usd_per_hour", "per hour"},
                                            {"/spot_price_usd_per_hour", "spot", Align::right, 6},
                                            {"/price_region", "region", Align::left, 7},
                                            {"/price_date", "priced", Align::left, 8},
                                            {"/price_age_days", "days old", Align::right, 2}});
}

Table models_table(const Document& report) {
  return make_table(report.at("models"), {{"/name", "name", Align::left},
                                          {"/convolutions", "convolutions"},
                                          {"/batch_norm", "batch norm", Align::left},
                                          {"/parameters", "parameters"},
                                          {"/image_side", "image side"},
                                          {"/macs_forward", "MACs"}});
}

}  // namespace

Table layers_table(const Document& report) {
  Document rows = report.at("layers");
  if (has(report, "totals")) {
    Document totals = report.at("totals");
    totals["name"] = "total";
    rows.push_back(std::move(totals));
  }
  return make_table(rows, {{"/name", "layer", Align::left},
                           {"/kind", "kind", Align::left, 3},
                           {"/output_shape", "shape"},
                           {"/parameters", "parameters"},
                           {"/macs", "MACs"},
                           {"/flops_forward", "FLOPs fwd", Align::right, 4},
                           {"/flops_backward", "FLOPs bwd", Align::right, 5},
                           {"/output_bytes", "output", Align::right, 1},
                           {"/saved_bytes", "saved"},
                           {"/workspace_bytes", "workspace", Align::right, 2},
                           {"/forward_seconds", "forward"},
                           {"/backward_seconds", "backward"},
                           {"/inputs", "inputs", Align::left},
                           {"/trained", "trained", Align::left}});
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
  Table table = make_table(rows, {{"/rank", "#"},
                                  {"/settings/gpu", "GPU", Align::left},
                                  {"/settings/gpu_count", "GPUs"},
                                  {"/settings/batch", "batch"},
                                  {"/settings/accumulation", "accum.", Align::right, 18},
                                  {"/settings/global_batch", "in all", Align::right, 16},
                                  {"/settings/precision", "precision", Align::left},
                                  {"/settings/layout", "layout", Align::left, 8},
                                  {"/settings/checkpointing", "checkpointing", Align::left, 9},
                                  {"/settings/sharding", "sharding", Align::left, 10},
                                  {"/memory/verdict", "verdict", Align::left, 19},
                                  {"/memory/allocated_peak_bytes", "allocated", Align::right, 15},
                                  {"/memory/reserved_peak_bytes", "reserved", Align::right, 11},
                                  {"/memory/usable_bytes", "usable", Align::right, 20},
                                  {"/time/step_seconds", "GPU step", Align::right, 12},
                                  {"/time/images_per_second", "images/s"},
                                  {"/time/bound_by", "bound by", Align::left, 17},
                                  {"/run/total_seconds", "run"},
                                  {"/run/cost_usd", "cost"},
                                  {"/run/usd_per_hour", "per hour", Align::right, 14},
                                  {"/run/usd_per_million_images", "per 10^6 images", Align::right, 13}});
  // The heading has the unit.
  for (Row& row : table.rows) {
    std::string& speed = cell_of(table, row, "images_per_second").shown;
    speed.resize(std::min(speed.find(" images"), speed.size()));
  }
  return table;
}

Table max_batch_table(const Document& cells) {
  Table table = make_table(cells, {{"/gpu", "GPU", Align::left},
                                   {"/gpu_count", "GPUs", Align::right, 2},
                                   {"/precision", "precision", Align::left},
                                   {"/layout", "layout", Align::left},
                                   {"/checkpointing", "checkpointing", Align::left},
                                   {"/sharding", "sharding", Align::left, 3},
                                   {"/usable_bytes", "usable", Align::right, 4},
                                   {"/steady", "batch"},
                                   {"/hard", "with cache flushes"},
                                   {"/possible", "some up to"}});
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    cell_of(table, table.rows[i], "hard").shown += cells.at(i).value("limited_by_search", false) ? " or more" : "";
  }
  return table;
}

Table fit_table(const Document& report) {
  Table table = make_table(report.at("largest"), {{"/precision", "precision", Align::left},
                                                  {"/layout", "layout", Align::left},
                                                  {"/checkpointing", "checkpointing", Align::left},
                                                  {"/sharding", "sharding", Align::left, 3},
                                                  {"/batch", "batch"},
                                                  {"/batch_certain", "certainly", Align::right, 2},
                                                  {"/batch_with_cache_flushes", "with cache flushes", Align::right, 4},
                                                  {"/batch_possible", "some up to", Align::right, 5},
                                                  {"/height", "height"},
                                                  {"/width", "width"},
                                                  {"/images_per_second", "speed"},
                                                  {"/slowdown", "time an image", Align::right, 1}});
  for (Row& row : table.rows) {
    Cell& slowdown = cell_of(table, row, "slowdown");
    slowdown.shown = slowdown.raw.is_number() ? fmt::format("x {:.2f}", slowdown.raw.get<double>()) : "";
  }
  return table;
}

Table points_table(const Document& estimates) {
  std::vector<Spec> specs;
  if (!estimates.empty() && has(estimates.at(0), "point")) {
    for (const auto& [key, value] : estimates.at(0).at("point").items()) {
      specs.push_back({"/point/" + key, base::with_dashes(key), is_word(value) ? Align::left : Align::right});
    }
  }
  for (const Spec& spec : point_specs()) {
    const auto same = [&](const Spec& other) { return key_of(other) == key_of(spec); };
    if (std::none_of(specs.begin(), specs.end(), same)) {
      specs.push_back(spec);
    }
  }
  return make_table(estimates, specs);
}

Table by_batch_table(const Document& estimate) {
  return make_table(estimate.at("by_batch"), {{"/batch", "batch"},
                                              {"/verdict", "verdict", Align::left},
                                              {"/reserved_peak_bytes", "reserved"},
                                              {"/step_seconds", "GPU step"},
                                              {"/images_per_second", "speed"}});
}

Table main_table(const Document& report) {
  switch (report::kind(report)) {
    case report::Kind::estimate: return points_table(Document::array({report}));
    case report::Kind::sweep: return points_table(report.at("points"));
    case report::Kind::plan: return alternatives_table(report);
    case report::Kind::fit: return fit_table(report);
    case report::Kind::layers: return layers_table(report);
    case report::Kind::gpus: return gpus_table(report);
    case report::Kind::machines: return machines_table(report);
    case report::Kind::models: return models_table(report);
    case report::Kind::diff: return changes_table(report);
    case report::Kind::check: return check_table(report);
    case report::Kind::verify: return verify_table(report);
  }
  return {};
}

}  // namespace vggplan::render
