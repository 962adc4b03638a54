// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>

#include "render/figures.hpp"
#include "render/tables.hpp"
#include "render/text_parts.hpp"

namespace vggplan::render {

namespace {

std::string record_label(const std::string& key) {
  if (key == "memory_bytes_per_second") {
    return "memory bandwidth";
  }
  if (key == "price_usd_per_hour") {
    return "price per hour";
  }
  return key == "sm_count" ? "multiprocessors" : words(without_unit(key));
}

/// One record of the catalogue with all that is known of it.
std::string record(const Document& row, const Style& style) {
  std::size_t label = 0;
  for (const auto& [key, value] : row.items()) {
    label = std::max(label, width(record_label(key)));
  }
  std::string text;
  for (const auto& [key, value] : row.items()) {
    if (key == "sources" || (value.is_array() && value.empty())) {
      continue;
    }
    text += fact_line(style, {record_label(key), figure(key, value), ""}, label);
  }
  if (has(row, "sources") && !row.at("sources").empty()) {
    text += "  sources\n";
    for (const Document& source : row.at("sources")) {
      std::string line = source.at("reference").get<std::string>();
      line += has(source, "date") ? ", " + source.at("date").get<std::string>() : "";
      line += has(source, "note") ? ": " + source.at("note").get<std::string>() : "";
      text += paragraph(style, "  - ", "    ", line);
    }
  }
  return text;
}

}  // namespace

std::string text_catalogue(const Document& report, const Style& style) {
  const std::string kind(report::kind(report));
  const Document& rows = report.at(kind);
  if (rows.size() == 1) {
    return heading(style, rows.at(0).at("name").get<std::string>()) + record(rows.at(0), style);
  }
  const Table all = catalogue_table(report);
  if (kind == "gpus") {
    const Table shown = selected(all, {"name", "memory_total_bytes", "usable_bytes", "memory_bytes_per_second",
                                       "bf16_tensor_flops_per_second", "aliases"});
    return text_table(narrowed(shown, style.columns(), {"usable_bytes"}), style, "");
  }
  return text_table(kind == "machines"
                        ? selected(all, {"name", "gpu", "gpu_count", "vcpus", "ram_bytes", "price_usd_per_hour"})
                        : all,
                    style, "");
}

std::string text_diff(const Document& report, const Style& style) {
  std::string text;
  const Table inputs = diff_inputs_table(report);
  if (!inputs.rows.empty()) {
    text += heading(style, inputs.title) + text_table(inputs, style, "  ") + "\n";
  }
  const Table attribution = attribution_table(report);
  if (!attribution.rows.empty()) {
    text += heading(style, attribution.title) + text_table(attribution, style, "  ") + "\n";
  }
  const Table changes = style.verbose() ? diff_table(report) : main_changes_table(report);
  if (changes.rows.empty()) {
    return text + "No figure differs.\n";
  }
  if (inputs.rows.empty()) {
    text += "No input differs: the program or its data changed.\n\n";
  }
  return text + heading(style, changes.title) + text_table(changes, style, "  ");
}

std::string text_check(const Document& report, const Style& style) {
  const bool passed = report.at("passed").get<bool>();
  return (passed ? style.good("Passed") : style.bad("Failed")) + "\n" +
         text_table(narrowed(check_table(report), style.columns() - 2, {"severity", "base"}), style, "  ");
}

}  // namespace vggplan::render
