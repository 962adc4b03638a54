// SPDX-License-Identifier: MIT
// What differs between two reports, and a report against its limits.
#include <fmt/format.h>

#include <algorithm>

#include "render/figures.hpp"
#include "render/pages.hpp"

namespace vggplan::render {

namespace {

void sign(Cell& change) {
  if (change.raw.is_number() && change.raw.get<double>() > 0) {
    change.shown.insert(0, "+");
  }
}

bool is_idle(const Document& attributed) {
  const Document& effects = attributed.at("effects");
  return std::all_of(effects.begin(), effects.end(), [](const Document& delta) { return delta == 0; });
}

Table inputs_table(const Document& report) {
  Table table = make_table(report.at("inputs"), {{"/name", "input", Align::left}, {"/old", "old"}, {"/new", "new"}});
  for (Row& row : table.rows) {
    const std::string& name = row[0].raw.get_ref<const std::string&>();
    for (const std::size_t column : {1U, 2U}) {
      row[column].shown = figure(name, row[column].raw);
    }
  }
  return table;
}

/// What each changed input does, less those that do nothing.
Table attribution_table(const Document& report) {
  Table table;
  table.columns = {{"input", "input", Align::left},
                   {"reserved_peak_bytes", "reserved"},
                   {"allocated_peak_bytes", "allocated"},
                   {"step_seconds", "GPU step"},
                   {"images_per_second", "speed"}};
  for (const Document& row : report.value("attribution", Document::array())) {
    if (is_idle(row)) {
      continue;
    }
    std::vector<Cell> cells{{words(row.at("input").get<std::string>()), row.at("input")}};
    for (const auto& [metric, delta] : row.at("effects").items()) {
      cells.push_back({metric_change(metric, delta), delta});
      sign(cells.back());
    }
    cells.resize(table.columns.size());
    table.rows.push_back(std::move(cells));
  }
  return table;
}

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

/// Changes that `follow` from others, or those that do not; how much in percent stands behind the change, so that the
/// table is narrow enough for a phone.
Table changes(const Document& report, bool follow) {
  Table table = changes_table(report);
  std::erase_if(table.rows,
                [&](const Row& row) { return follows_from_others(row[0].raw.get<std::string>()) != follow; });
  for (Row& row : table.rows) {
    const std::string& percent = cell_of(table, row, "delta_percent").shown;
    cell_of(table, row, "delta").shown += percent.empty() ? "" : fmt::format(" ({})", percent);
  }
  drop_column(table, "delta_percent");
  return table;
}

/// Inputs that change none of the main figures, in a sentence.
std::string idle_inputs(const Document& report) {
  std::string names;
  for (const Document& row : report.value("attribution", Document::array())) {
    if (is_idle(row)) {
      names += (names.empty() ? "" : ", ") + words(text_of(row, "input"));
    }
  }
  return names.empty() ? "" : names + ": none of these figures changes";
}

/// Checks that rest for want of a base, in a sentence.
std::string skipped_checks(const Document& report) {
  std::string names;
  for (const Document& check : report.value("skipped", Document::array())) {
    names += fmt::format("{}{} ({})", names.empty() ? "" : ", ", metric_words(text_of(check, "metric")),
                         text_of(check, "rule"));
  }
  return names.empty() ? "" : "Not compared, for want of --against: " + names;
}

}  // namespace

void name_job(Headline& head, const Document& report) {
  head.title += has(report, "job") ? ": " + subject(report.at("job")) : "";
  head.on = has(report, "machine") ? machine_name(report.at("machine")) : "";
}

Table changes_table(const Document& report) {
  Table table = make_table(report.at("changes"), {{"/metric", "metric", Align::left},
                                                  {"/old", "old"},
                                                  {"/new", "new"},
                                                  {"/delta", "change"},
                                                  {"/delta_percent", "percent"}});
  // The metric's name says the unit of its row, and a change says its direction.
  for (Row& row : table.rows) {
    const auto metric = row[0].raw.get<std::string>();
    row[0].shown = metric_words(metric);
    row[1].shown = metric_figure(metric, row[1].raw);
    row[2].shown = metric_figure(metric, row[2].raw);
    row[3].shown = metric_change(metric, row[3].raw);
    sign(row[3]);
    sign(row[4]);
  }
  return table;
}

Table check_table(const Document& report) {
  Table table = make_table(report.at("checks"), {{"/passed", "", Align::left},
                                                 {"/metric", "metric", Align::left},
                                                 {"/base", "base", Align::right, 1},
                                                 {"/actual", "actual"},
                                                 {"/delta", "change"},
                                                 {"/limit", "limit"},
                                                 {"/severity", "severity", Align::left, 2}});
  for (Row& row : table.rows) {
    const auto metric = row[1].raw.get<std::string>();
    const bool warns = row[6].raw == "warn";
    row[0].tone = row[0].raw.get<bool>() ? Tone::plain : warns ? Tone::warn : Tone::bad;
    row[0].shown = row[0].tone == Tone::plain ? "ok" : warns ? "warn" : "FAIL";
    row[1].shown = metric_words(metric);
    for (const std::size_t column : {2U, 3U, 5U}) {
      row[column].shown = metric_figure(metric, row[column].raw);
    }
    row[4].shown = metric_change(metric, row[4].raw);
    sign(row[4]);
  }
  return table;
}

Page diff_page(const Document& report) {
  Page page;
  page.head.title = "What changed";
  name_job(page.head, report);
  add(page, titled("Inputs that differ", inputs_table(report)));
  Section attribution = titled("What each input changes, one after the other", attribution_table(report));
  add_prose(attribution, idle_inputs(report));
  add(page, std::move(attribution));
  const bool differs = !report.at("changes").empty();
  Section main = titled("Figures that differ", changes(report, false));
  add_prose(main, !differs                      ? "No figure differs."
                  : report.at("inputs").empty() ? "No input differs: the program or its data changed."
                                                : "");
  add(page, std::move(main));
  add(page, titled("Figures that follow from these", changes(report, true), Depth::full));
  return page;
}

Page check_page(const Document& report) {
  const bool passed = report.at("passed").get<bool>();
  Page page;
  page.head.title = "Check";
  name_job(page.head, report);
  page.head.tone = passed ? Tone::good : Tone::bad;
  page.head.verdict = passed ? "Passed" : "Failed";
  Section section = titled("", check_table(report));
  add_prose(section, skipped_checks(report));
  add(page, std::move(section));
  add_warnings(page, report);
  return page;
}

}  // namespace vggplan::render
