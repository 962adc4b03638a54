// SPDX-License-Identifier: MIT
// show, diff and check: what is done with saved reports.
#include <fmt/format.h>

#include <algorithm>

#include "app/output.hpp"
#include "app/reports.hpp"
#include "app/run.hpp"
#include "vggplan/base/csv.hpp"
#include "vggplan/base/json_text.hpp"
#include "vggplan/catalog/catalog.hpp"
#include "vggplan/report/build.hpp"
#include "vggplan/report/compare.hpp"

namespace vggplan::app {

namespace {

using report::Document;

/// The lines of a text with their numbers, without blank ones.
std::vector<std::pair<std::size_t, std::string_view>> lines_of(std::string_view text) {
  std::vector<std::pair<std::size_t, std::string_view>> lines;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::string_view line = base::next_line(text).text;
    if (!base::trimmed(line).empty()) {
      lines.emplace_back(number, line);
    }
  }
  return lines;
}

/// Whether each line is a report of its own (JSON Lines): the first begins an object and ends it.
bool holds_lines(std::string_view text) {
  const auto lines = lines_of(text);
  if (lines.size() < 2) {
    return false;
  }
  const std::string_view first = base::trimmed(lines.front().second);
  return first.starts_with("{\"") && first.ends_with('}') && !base::check_json_text(first, "") &&
         Document::accept(first.begin(), first.end());
}

/// JSON Lines as the sweep that they are, or would be: estimates that were put into one file are shown like one.
base::Result<Document> read_lines(std::string_view text, const Document& schema, const std::string& path) {
  std::vector<Document> estimates;
  for (const auto& [number, line] : lines_of(text)) {
    Document estimate = TRY(report::read(line, schema, path, number));
    if (report::kind(estimate) != report::Kind::estimate) {
      return base::wrong(fmt::format("{}:{}", path, number), "is not an estimate, as each line must be",
                         "show one report at a time, or the lines of a sweep");
    }
    estimates.push_back(std::move(estimate));
  }
  return report::build_sweep(std::move(estimates));
}

base::Result<Document> read_budget_file(const std::string& path, World& world) {
  const std::string text = TRY(world.read_file(path));
  if (path.ends_with(".toml")) {
    return parse_toml(text, path);
  }
  base::Result<Document> budget = base::parse_json<Document>(text, path);
  if (!budget) {
    base::Diagnostic error = budget.error();
    error.remedy = "a budget in TOML is named something.toml";
    return error;
  }
  return budget;
}

/// The limits of --budget or our own, for figures of `actual`.
base::Result<std::vector<report::Rule>> read_rules(const Options& options, const Document& actual, World& world) {
  if (options.budget) {
    const Document budget = TRY(read_budget_file(*options.budget, world));
    return report::read_budget(budget, *options.budget, actual);
  }
  const std::string_view text = TRY(catalog::Catalog::built_in().text("budgets", "default"));
  return report::read_budget(Document::parse(text), "the built-in budget", actual);
}

bool needs_base(const std::vector<report::Rule>& rules) {
  return std::ranges::none_of(rules, [](const report::Rule& rule) { return rule.max || rule.min; });
}

}  // namespace

base::Result<Document> read_comparable(const std::string& path, World& world) {
  const Document report = TRY(read_report(path, world));
  return report::comparable(report, path);
}

base::Result<Document> read_report(const std::string& path, World& world) {
  const std::string text = TRY(world.read_file(path));
  const std::string_view schema_text = TRY(catalog::Catalog::built_in().text("schema", "report.schema"));
  const Document schema = Document::parse(schema_text);
  return holds_lines(text) ? read_lines(text, schema, path) : report::read(text, schema, path);
}

base::Result<int> run_show(const Request& request, World& world) {
  const Document report = TRY(read_report(request.positionals.front(), world));
  return deliver(report, request.options, world);
}

base::Result<int> run_diff(const Request& request, World& world) {
  const Document before = TRY(read_comparable(request.positionals.at(0), world));
  const Document after = TRY(read_comparable(request.positionals.at(1), world));
  Document report = report::build_diff(before, after);
  if (const base::Result<Document> rows = attribute(before, after, world); !rows) {
    note(world, request.options,
         fmt::format("which input changes what is not told: {} {}", rows.error().place, rows.error().rule));
  } else if (!rows->empty()) {
    report["attribution"] = *rows;
  }
  return deliver(report, request.options, world);
}

base::Result<int> run_check(const Request& request, World& world) {
  const std::string& path = request.positionals.front();
  const Document whole = TRY(read_report(path, world));
  const bool nothing_fits = report::kind(whole) == report::Kind::plan && !whole.contains("recommendation");
  const Document actual =
      TRY(nothing_fits ? Document{{"job", whole.at("job")}, {"memory", {{"verdict", "does-not-fit"}}}}
                       : report::comparable(whole, path));
  std::optional<Document> base_report;
  if (request.options.against) {
    base_report = TRY(read_comparable(*request.options.against, world));
  }
  // Where nothing fits there are no figures to hold.
  const std::vector<report::Rule> rules =
      TRY(nothing_fits ? std::vector<report::Rule>() : read_rules(request.options, actual, world));
  if (!base_report && !nothing_fits && needs_base(rules)) {
    return base::wrong("check", "has nothing to hold the report against",
                       "give --against BASE.json, or a --budget with max or min");
  }
  const Document report = TRY(report::build_check(actual, base_report ? &*base_report : nullptr, rules));
  return deliver(report, request.options, world, report.at("passed").get<bool>() ? kYes : kNo);
}

}  // namespace vggplan::app
