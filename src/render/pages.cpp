// SPDX-License-Identifier: MIT
// The smaller reports, and what all builders use.
#include "render/pages.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "render/figures.hpp"

namespace vggplan::render {

namespace {

Page layers_page(const Document& report) {
  Page page;
  page.head.title = subject(report.at("job"));
  page.head.on = machine_name(report.at("machine")) + ", " + settings(report.at("job"));
  Section section;
  add_layers(section, report, Depth::always);
  add_prose(section, "Parameters and MACs are counted, MACs for one image; bytes and times are of one micro-batch.");
  add(page, std::move(section));
  add_warnings(page, report);
  add_assumptions(page, report);
  return page;
}

/// What all points share; where they share nothing, how many there are.
std::string shared(const Document& points, const char* key, std::string (*named)(const Document&), const char* units) {
  std::set<std::string> names;
  for (const Document& point : points) {
    names.insert(named(point.at(key)));
  }
  return names.size() == 1 ? *names.begin() : fmt::format("{} {}", names.size(), units);
}

Page sweep_page(const Document& report) {
  const Document& points = report.at("points");
  Page page;
  page.head.title = "Sweep: " + shared(points, "job", subject, "jobs");
  page.head.on = shared(points, "machine", machine_name, "machines");
  Section section;
  if (!points.empty()) {
    section.blocks.push_back({Depth::full, Chart{"points", "Memory and speed by point"}});
    section.right = fmt::format("{} points", points.size());
  }
  add_condensed(section, points_table(points));
  add(page, std::move(section));
  return page;
}

std::string record_label(const std::string& key) {
  return key == "memory_bytes_per_second" ? "memory bandwidth"
         : key == "price_usd_per_hour"    ? "price per hour"
         : key == "sm_count"              ? "multiprocessors"
                                          : words(without_unit(key));
}

/// All that is known of one record.
Page record_page(const Document& record) {
  Page page;
  page.head.title = text_of(record, "name");
  Facts facts;
  for (const auto& [key, value] : record.items()) {
    if (key != "sources" && key != "price_source" && !(value.is_array() && value.empty())) {
      facts.rows.push_back({record_label(key), figure(key, value), ""});
    }
  }
  add(page, {"", block(Depth::always, std::move(facts))});
  List sources;
  if (has(record, "price_source")) {
    sources.items.push_back({text_of(record, "price_source") + ": the price"});
  }
  for (const Document& source : record.value("sources", Document::array())) {
    sources.items.push_back({text_of(source, "reference") +
                             (has(source, "date") ? ", " + text_of(source, "date") : "") +
                             (has(source, "note") ? ": " + text_of(source, "note") : "")});
  }
  add(page, {"Sources", block(Depth::always, std::move(sources))});
  return page;
}

Page catalogue_page(const Document& report, std::string_view title) {
  const Document& records = report.at(std::string(base::name_of_enum(report::kind(report))));
  if (records.size() == 1) {
    return record_page(records.at(0));
  }
  Page page;
  page.head.title = fmt::format("{} {}", records.size(), title);
  add(page, titled("", main_table(report)));
  return page;
}

}  // namespace

Table as_table(const Facts& facts) {
  Table table;
  table.columns = {{"label", "", Align::left}, {"value", "", Align::left}, {"range", "", Align::left}};
  for (const Fact& fact : facts.rows) {
    table.rows.push_back({{fact.label, {}}, {fact.value, {}}, {fact.range, {}}});
  }
  return without_empty_columns(std::move(table));
}

Table as_table(const Bars& bars) {
  Table table;
  table.columns = {{"label", bars.heads.at(0), Align::left},
                   {"figure", bars.heads.at(1)},
                   {"share", bars.heads.at(2)},
                   {"range", bars.heads.at(3)}};
  for (const Bar& bar : bars.rows) {
    table.rows.push_back({{bar.label, {}}, {bar.figure, {}}, {bar.share, {}}, {bar.range, {}}});
  }
  return without_empty_columns(std::move(table));
}

void add(Page& page, Section section) {
  if (!section.blocks.empty()) {
    page.sections.push_back(std::move(section));
  }
}

Section titled(std::string title, const Table& table, Depth depth) {
  Section section{std::move(title), {}, depth == Depth::full, ""};
  add_table(section, table, depth);
  return section;
}

void add_table(Section& section, const Table& table, Depth depth) {
  if (!table.rows.empty()) {
    section.blocks.push_back({depth, without_empty_columns(table)});
  }
}

void add_condensed(Section& section, const Table& table, Depth depth) {
  const Condensed rows = condensed(table);
  add_table(section, rows.table, depth);
  add_prose(section, rows.shared, depth);
}

void add_prose(Section& section, std::string text, Depth depth) {
  if (!text.empty()) {
    section.blocks.push_back({depth, Prose{std::move(text)}});
  }
}

void add_warnings(Page& page, const Document& report) {
  std::vector<Document> seen;
  List list{{}, true};
  const auto add_all = [&](const Document& warnings) {
    for (const Document& warning : warnings) {
      if (std::ranges::find(seen, warning) == seen.end()) {
        seen.push_back(warning);
        list.items.push_back({text_of(warning, "message"), warning.value("hint", "")});
      }
    }
  };
  add_all(report.value("warnings", Document::array()));
  if (has(report, "recommendation")) {
    add_all(report.at("recommendation").at("warnings"));
  }
  add(page, {"", block(Depth::always, std::move(list))});
}

void add_assumptions(Page& page, const Document& report) {
  Facts facts;
  for (const Document& row : report.at("assumptions")) {
    facts.rows.push_back({text_of(row, "name"), text_of(row, "value"), text_of(row, "source")});
  }
  add(page, {"Assumptions", block(Depth::full, std::move(facts)), true});
}

Page page_of(const Document& report) {
  switch (report::kind(report)) {
    case report::Kind::estimate: return estimate_page(report);
    case report::Kind::plan: return plan_page(report);
    case report::Kind::fit: return fit_page(report);
    case report::Kind::layers: return layers_page(report);
    case report::Kind::sweep: return sweep_page(report);
    case report::Kind::gpus: return catalogue_page(report, "GPUs");
    case report::Kind::machines: return catalogue_page(report, "machines");
    case report::Kind::models: return catalogue_page(report, "models");
    case report::Kind::diff: return diff_page(report);
    case report::Kind::check: return check_page(report);
    case report::Kind::verify: return verify_page(report);
  }
  return {};
}

}  // namespace vggplan::render
