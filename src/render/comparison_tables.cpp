// SPDX-License-Identifier: MIT
// What differs between two reports, and a report against its limits.
#include <fmt/format.h>

#include <algorithm>

#include "render/figures.hpp"
#include "render/table_spec.hpp"
#include "render/tables.hpp"

namespace vggplan::render {

namespace {

void sign(Cell& change) {
  if (change.raw.is_number() && change.raw.get<double>() > 0) {
    change.shown.insert(0, "+");
  }
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

bool is_idle(const Document& attributed) {
  const Document& effects = attributed.at("effects");
  return std::all_of(effects.begin(), effects.end(), [](const Document& delta) { return delta == 0; });
}

}  // namespace

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

Table diff_table(const Document& report) {
  Table table = make_table("Figures that differ", report.at("changes"),
                           {{"metric", "metric", "/metric", Align::left},
                            {"old", "old", "/old"},
                            {"new", "new", "/new"},
                            {"delta", "change", "/delta"},
                            {"delta_percent", "percent", "/delta_percent"}});
  // The metric's name says the unit of its row, and a change says its direction.
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const auto metric = report.at("changes").at(i).at("metric").get<std::string>();
    std::vector<Cell>& row = table.rows[i];
    row[0].shown = metric_words(metric);
    row[1].shown = metric_figure(metric, row[1].raw);
    row[2].shown = metric_figure(metric, row[2].raw);
    row[3].shown = metric_change(metric, row[3].raw);
    sign(row[3]);
    sign(row[4]);
  }
  return table;
}

Table main_changes_table(const Document& report) {
  Table table = diff_table(report);
  std::erase_if(table.rows,
                [](const std::vector<Cell>& row) { return follows_from_others(row.front().raw.get<std::string>()); });
  return table;
}

std::string other_changes(const Document& report) {
  const Document& changes = report.at("changes");
  const auto others = std::count_if(changes.begin(), changes.end(), [](const Document& change) {
    return follows_from_others(change.at("metric").get<std::string>());
  });
  return others == 0 ? "" : fmt::format("{} more that follow from these: --verbose shows them", others);
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

std::string idle_inputs(const Document& report) {
  std::string names;
  for (const Document& row : has(report, "attribution") ? report.at("attribution") : Document::array()) {
    if (is_idle(row)) {
      names += (names.empty() ? "" : ", ") + words(row.at("input").get<std::string>());
    }
  }
  return names.empty() ? "" : names + ": none of these figures changes";
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
    const auto metric = check.at("metric").get<std::string>();
    std::vector<Cell>& row = table.rows[i];
    const bool warns = check.at("severity") == "warn";
    row[0].shown = check.at("passed").get<bool>() ? "ok" : warns ? "warn" : "FAIL";
    row[1].shown = metric_words(metric);
    for (const std::size_t column : {2U, 3U, 5U}) {
      row[column].shown = metric_figure(metric, row[column].raw);
    }
    row[4].shown = metric_change(metric, row[4].raw);
    sign(row[4]);
  }
  return table;
}

std::string skipped_checks(const Document& report) {
  std::string names;
  for (const Document& check : has(report, "skipped") ? report.at("skipped") : Document::array()) {
    names += fmt::format("{}{} ({})", names.empty() ? "" : ", ", metric_words(check.at("metric").get<std::string>()),
                         check.at("rule").get<std::string>());
  }
  return names.empty() ? "" : "Not compared, for want of --against: " + names;
}

}  // namespace vggplan::render
