// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>

#include "render/figures.hpp"
#include "render/tables.hpp"
#include "render/text_parts.hpp"

namespace vggplan::render {

namespace {

/// One record of the catalogue with all that is known of it.
std::string one_record(const Document& report, const Style& style) {
  const Table record = record_table(report);
  const std::size_t label = column_widths(record).front();
  std::string text = heading(style, record.title);
  for (const std::vector<Cell>& row : record.rows) {
    text += fact_line(style, {row[0].shown, row[1].shown, ""}, label);
  }
  const Table sources = sources_table(report);
  text += sources.rows.empty() ? "" : "  sources\n";
  for (const std::vector<Cell>& row : sources.rows) {
    const std::string& date = row[1].shown;
    const std::string& note = row[2].shown;
    text += paragraph(style, "  - ", "    ",
                      row[0].shown + (date.empty() ? "" : ", " + date) + (note.empty() ? "" : ": " + note));
  }
  return text;
}

/// A sentence below a table; nothing for none.
std::string text_aside(const Style& style, const std::string& text) {
  return text.empty() ? "" : paragraph(style, "  ", "  ", text);
}

}  // namespace

std::string text_catalogue(const Document& report, const Style& style) {
  if (has_one_record(report)) {
    return one_record(report, style);
  }
  const Table all = catalogue_table(report);
  if (report::kind(report) == report::Kind::gpus) {
    const Table shown = selected(all, {"name", "memory_total_bytes", "usable_bytes", "memory_bytes_per_second",
                                       "bf16_tensor_flops_per_second", "aliases"});
    return text_table(narrowed(shown, style.columns(), {"usable_bytes"}), style, "");
  }
  return text_table(report::kind(report) == report::Kind::machines
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
    text += heading(style, attribution.title) + text_table(attribution, style, "  ") +
            text_aside(style, idle_inputs(report)) + "\n";
  }
  const Table changes = style.verbose() ? diff_table(report) : main_changes_table(report);
  if (changes.rows.empty()) {
    return text + "No figure differs.\n";
  }
  if (inputs.rows.empty()) {
    text += "No input differs: the program or its data changed.\n\n";
  }
  return text + heading(style, changes.title) + text_table(changes, style, "  ") +
         text_aside(style, style.verbose() ? "" : other_changes(report));
}

std::string text_check(const Document& report, const Style& style) {
  const bool passed = report.at("passed").get<bool>();
  return (passed ? style.good("Passed") : style.bad("Failed")) + "\n" +
         text_table(narrowed(check_table(report), style.columns() - 2, {"severity", "base"}), style, "  ") +
         text_aside(style, skipped_checks(report)) + text_warnings(report, style);
}

}  // namespace vggplan::render
