// SPDX-License-Identifier: MIT
// A plan against a run.
#include <fmt/format.h>

#include <algorithm>

#include "render/figures.hpp"
#include "render/pages.hpp"

namespace vggplan::render {

namespace {

Table settings_table(const Document& report) {
  return make_table(report.at("settings"),
                    {{"/name", "setting", Align::left}, {"/planned", "planned"}, {"/measured", "in the run"}});
}

/// "speed, images/s" with bare numbers: four times the unit would widen all rows.
void name_unit_once(Row& row) {
  constexpr std::string_view kUnit = " images/s";
  row[1].shown += "," + std::string(kUnit);
  for (const std::size_t column : {2U, 3U, 4U, 5U}) {
    std::string& shown = row[column].shown;
    shown.resize(shown.ends_with(kUnit) ? shown.size() - kUnit.size() : shown.size());
  }
}

/// Each hint once, with the components that it is for.
List hints_of(const Document& report) {
  List list;
  std::vector<std::string> told;
  for (const Document& row : report.at("components")) {
    const std::string hint = row.value("hint", "");
    if (hint.empty() || std::find(told.begin(), told.end(), hint) != told.end()) {
      continue;
    }
    std::string names;
    for (const Document& other : report.at("components")) {
      if (other.value("hint", "") == hint) {
        names += (names.empty() ? "" : ", ") + words(text_of(other, "name"));
      }
    }
    told.push_back(hint);
    list.items.push_back({fmt::format("{}: {}", names, hint), "", Depth::always});
  }
  return list;
}

std::string requested(const Document& difference, const char* key) {
  if (!has(difference, key)) {
    return "nothing";
  }
  const auto bytes = difference.at(key).get<std::int64_t>();
  return bytes < 0 ? "a free of " + figure("bytes", Document(-bytes)) : figure("bytes", Document(bytes));
}

std::string first_difference(const Document& report) {
  if (!has(report, "first_difference")) {
    return has(report, "compared_events")
               ? fmt::format("The history is the plan's in all {} allocations and frees that it can be held to.",
                             figure("events", report.at("compared_events")))
               : "";
  }
  const Document& found = report.at("first_difference");
  const auto step = found.at("step").get<std::int64_t>();
  const std::string where = step == 0 ? "in the set-up" : fmt::format("in step {}, {}", step, text_of(found, "phase"));
  const std::string layer = has(found, "layer") ? " at " + text_of(found, "layer") : "";
  const std::string what = text_of(found, "what") == "workspace" ? "workspace" : "request";
  return fmt::format("The first {} that differs is event {}, {}{}: planned is {}, and the run has {}.", what,
                     figure("events", found.at("event")), where, layer, requested(found, "planned_bytes"),
                     requested(found, "measured_bytes"));
}

}  // namespace

Table verify_table(const Document& report) {
  Table table = make_table(report.at("components"), {{"/inside", "", Align::left},
                                                     {"/name", "component", Align::left},
                                                     {"/planned/value", "planned"},
                                                     {"/planned/low", "from"},
                                                     {"/planned/high", "to"},
                                                     {"/measured", "measured"},
                                                     {"/unit", "unit", Align::left}});
  for (Row& row : table.rows) {
    const bool inside = row[0].raw.get<bool>();
    row[0].tone = inside ? Tone::plain : Tone::bad;
    row[0].shown = inside ? "ok" : "OUT";
    row[1].shown = words(row[1].raw.get<std::string>());
    const auto unit = row[6].raw.get<std::string>();
    for (const std::size_t column : {2U, 3U, 4U, 5U}) {
      row[column].shown = figure(unit, row[column].raw);
    }
    if (unit == "images_per_second") {
      name_unit_once(row);
    }
  }
  return table;
}

Page verify_page(const Document& report) {
  const bool comparable = report.at("comparable").get<bool>();
  const bool passed = report.at("passed").get<bool>();
  Page page;
  page.head.title = "Plan and run";
  name_job(page.head, report);
  page.head.tone = passed ? Tone::good : Tone::bad;
  page.head.verdict = !comparable ? "Not comparable" : passed ? "Inside" : "Outside";
  page.head.detail = !comparable ? "the run had other settings than the plan" : "";
  add(page, titled("Settings that differ", settings_table(report)));
  Table table = verify_table(report);
  drop_column(table, "unit");
  if (comparable) {
    Section section = titled("", table);
    add_prose(section, table.rows.empty() ? "The run tells of nothing that is planned." : "");
    add(page, std::move(section));
  }
  add(page, {"What the differences suggest", block(Depth::always, hints_of(report))});
  Section history;
  add_prose(history, first_difference(report));
  add(page, std::move(history));
  add_warnings(page, report);
  return page;
}

}  // namespace vggplan::render
