// SPDX-License-Identifier: MIT
// What differs between two reports, and a report against its limits.
#include <fmt/format.h>

#include <algorithm>

#include "render/figures.hpp"
#include "render/tables.hpp"

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

}  // namespace

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

Table changes_table(const Document& report) {
  Table table = make_table(report.at("changes"), {{"/metric", "metric", Align::left},
                                                  {"/old", "old"},
                                                  {"/new", "new"},
                                                  {"/delta", "change"},
                                                  {"/delta_percent", "percent"}});
  // The metric's name says the unit of its row, and a change says its direction.
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const auto metric = report.at("changes").at(i).at("metric").get<std::string>();
    Row& row = table.rows[i];
    row[0].shown = metric_words(metric);
    row[1].shown = metric_figure(metric, row[1].raw);
    row[2].shown = metric_figure(metric, row[2].raw);
    row[3].shown = metric_change(metric, row[3].raw);
    sign(row[3]);
    sign(row[4]);
  }
  return table;
}

Table attribution_table(const Document& report) {
  Table table;
  table.columns = {{"input", "input", Align::left},
                   {"reserved_peak_bytes", "reserved"},
                   {"allocated_peak_bytes", "allocated"},
                   {"step_seconds", "GPU step"},
                   {"images_per_second", "speed"}};
  if (!has(report, "attribution")) {
    return table;
  }
  for (const Document& row : report.at("attribution")) {
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

Table check_table(const Document& report) {
  Table table = make_table(report.at("checks"), {{"/passed", "", Align::left},
                                                 {"/metric", "metric", Align::left},
                                                 {"/base", "base", Align::right, 1},
                                                 {"/actual", "actual"},
                                                 {"/delta", "change"},
                                                 {"/limit", "limit"},
                                                 {"/severity", "severity", Align::left, 2}});
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const Document& check = report.at("checks").at(i);
    const auto metric = check.at("metric").get<std::string>();
    Row& row = table.rows[i];
    const bool warns = check.at("severity") == "warn";
    row[0].tone = check.at("passed").get<bool>() ? Tone::plain : warns ? Tone::warn : Tone::bad;
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

}  // namespace vggplan::render
