// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "report/flatten.hpp"
#include "vggplan/base/format.hpp"
#include "vggplan/base/names.hpp"
#include "vggplan/report/compare.hpp"

namespace vggplan::report {

namespace {

/// Beyond every figure, and small enough to add and to take percentages of.
constexpr double kLargestLimit = 1e30;

constexpr std::array<std::string_view, 8> kKeys{
    "metric", "max", "min", "max_increase", "max_increase_percent", "max_decrease", "max_decrease_percent", "severity"};

/// A limit in the unit of its metric: a number, or a text such as "512MiB", "2h" or "5%".
struct Limit {
  double value{};
  bool percent{false};
};

/// TOML knows nan and inf, which no figure can be held against.
bool is_limit(double value) { return std::abs(value) <= kLargestLimit; }

base::Result<double> number_of(const std::string& text, const std::string& place) {
  const std::optional<double> value = base::parse_number(text);
  if (!value || !is_limit(*value)) {
    return base::wrong(place, fmt::format("takes a number, not {}", base::quoted(text)));
  }
  return *value;
}

bool counts_bytes(const std::string& metric) {
  return metric.find("bytes") != std::string::npos || metric.find("breakdown") != std::string::npos ||
         metric.find("phases") != std::string::npos;
}

base::Result<Limit> read_limit(const Document& value, const std::string& metric, const std::string& place) {
  if (value.is_number()) {
    const double number = value.get<double>();
    return is_limit(number) ? base::Result<Limit>(Limit{number, false})
                            : base::wrong(place, fmt::format("takes a number up to 1e30, not {}", number));
  }
  if (!value.is_string()) {
    return base::wrong(place, "takes a number or a text such as \"512MiB\", \"400ms\" or \"5%\"");
  }
  const std::string text = value.get<std::string>();
  if (text.ends_with('%')) {
    return Limit{TRY(number_of(text.substr(0, text.size() - 1), place)), true};
  }
  if (counts_bytes(metric)) {
    return Limit{TRY(base::parse_bytes(text, place)).as_double(), false};
  }
  if (metric.ends_with("_seconds")) {
    return Limit{TRY(base::parse_duration(text, place)).count(), false};
  }
  return Limit{TRY(number_of(text, place)), false};
}

base::Status read_field(Rule& rule, const std::string& key, const Document& value, const std::string& place) {
  if (key == "metric") {
    return std::nullopt;
  }
  if (key == "severity") {
    if (value != "warn" && value != "fail") {
      return base::wrong(place, fmt::format("takes \"warn\" or \"fail\", not {}", value.dump()));
    }
    rule.severity = value == "warn" ? Severity::warn : Severity::fail;
    return std::nullopt;
  }
  const Limit limit = TRY(read_limit(value, rule.metric, place));
  const bool of_change = key.starts_with("max_increase") || key.starts_with("max_decrease");
  if (limit.percent && !of_change) {
    return base::wrong(place, "takes no percentage: percent of what?",
                       "percentages limit changes: max_increase = \"5%\"");
  }
  if (of_change && limit.value < 0) {
    return base::wrong(place, "takes a limit of 0 or more");
  }
  const bool percent = limit.percent || key.ends_with("_percent");
  std::optional<double>& target = key == "max"   ? rule.max
                                  : key == "min" ? rule.min
                                  : key.starts_with("max_increase")
                                      ? (percent ? rule.max_increase_percent : rule.max_increase)
                                      : (percent ? rule.max_decrease_percent : rule.max_decrease);
  if (target) {
    return base::wrong(place, "limits the same thing a second time", "leave one of the two out");
  }
  target = limit.value;
  return std::nullopt;
}

/// The names of the figures that limits can be set on.
std::vector<std::string> numeric_figures(const Document& report) {
  std::vector<std::string> names;
  for (const auto& [name, value] : figures_of(report)) {
    if (value.is_number()) {
      names.push_back(name);
    }
  }
  return names;
}

base::Status check_metric(const std::string& metric, const std::vector<std::string>& figures,
                          const std::string& place) {
  if (std::find(figures.begin(), figures.end(), metric) != figures.end()) {
    return std::nullopt;
  }
  return base::wrong(place, fmt::format("{} is not a figure of the report", base::quoted(metric)),
                     base::nearest(metric, figures).empty()
                         ? "figures are named by their path, such as memory.reserved_peak_bytes"
                         : base::suggestion(metric, figures));
}

base::Result<Rule> read_rule(const Document& row, const std::vector<std::string>& figures, const std::string& place) {
  const std::vector<std::string> known(kKeys.begin(), kKeys.end());
  if (!row.is_object() || !row.contains("metric") || !row.at("metric").is_string()) {
    return base::wrong(place, "needs a metric, such as \"memory.reserved_peak_bytes\"");
  }
  Rule rule;
  rule.metric = row.at("metric").get<std::string>();
  rule.place = place;
  TRY(check_metric(rule.metric, figures, place + "/metric"));
  for (const auto& [key, value] : row.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      return base::wrong(place, fmt::format("{} is not a key of a check", base::quoted(key)),
                         base::suggestion(key, known));
    }
    TRY(read_field(rule, key, value, place + "/" + key));
  }
  if (!rule.max && !rule.min && !rule.limits_change()) {
    return base::wrong(place, "sets no limit", "give max, min, max_increase or max_decrease");
  }
  return rule;
}

}  // namespace

base::Result<std::vector<Rule>> read_budget(const Document& budget, std::string_view place, const Document& report) {
  const std::string file(place);
  if (!budget.is_object() || !budget.contains("checks") || !budget.at("checks").is_array()) {
    return base::wrong(file, "is not a budget: it has no list of checks", "see configs/budgets/example.toml");
  }
  for (const auto& [key, value] : budget.items()) {
    if (key != "checks" && key != "schema_version" && key != "$schema") {
      return base::wrong(file, fmt::format("{} is not a key of a budget", base::quoted(key)),
                         "its list is called checks");
    }
  }
  const std::vector<std::string> figures = numeric_figures(report);
  std::vector<Rule> rules;
  for (const Document& row : budget.at("checks")) {
    Rule rule = TRY(read_rule(row, figures, fmt::format("{}:/checks/{}", place, rules.size())));
    rules.push_back(std::move(rule));
  }
  if (rules.empty()) {
    return base::wrong(file, "has no checks");
  }
  return rules;
}

}  // namespace vggplan::report
