// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "report/flatten.hpp"
#include "report/values.hpp"
#include "vggplan/base/checked.hpp"
#include "vggplan/base/format.hpp"
#include "vggplan/report/compare.hpp"

namespace vggplan::report {

namespace {

constexpr const char* kVerdict = "memory.verdict";
constexpr const char* kDoesNotFit = "does-not-fit";

/// Numbers of integer metrics stay integers; a limit in between is rounded to the side that passes nothing more.
Document shown(double value, const Document& like) {
  const bool exact = std::abs(value) <= static_cast<double>(base::kLargestExact);
  return like.is_number_integer() && exact ? Document(static_cast<std::int64_t>(std::floor(value))) : plain(value);
}

struct Held {
  std::string metric{};
  std::string rule{};
  double limit{};
  bool passed{};
  Severity severity{};
};

Document row_of(const Held& held, const Document& actual, const Document* base) {
  Document row = {{"metric", held.metric}, {"rule", held.rule}};
  row["limit"] = shown(held.limit, actual);
  row["actual"] = actual;
  if (base != nullptr) {
    row["base"] = *base;
    row["delta"] = shown(actual.get<double>() - base->get<double>(), actual);
  }
  row["severity"] = held.severity == Severity::warn ? "warn" : "fail";
  row["passed"] = held.passed;
  return row;
}

/// The farthest that a figure may go from `base`: beyond it every limit given has tripped.
std::optional<double> allowance(const std::optional<double>& absolute, const std::optional<double>& percent,
                                double base) {
  if (!absolute && !percent) {
    return std::nullopt;
  }
  return std::max(absolute.value_or(0), percent.value_or(0) / 100 * std::abs(base));
}

std::vector<Held> hold(const Rule& rule, double actual, const double* base) {
  std::vector<Held> held;
  if (rule.max) {
    held.push_back({rule.metric, "max", *rule.max, actual <= *rule.max, rule.severity});
  }
  if (rule.min) {
    held.push_back({rule.metric, "min", *rule.min, actual >= *rule.min, rule.severity});
  }
  if (base == nullptr) {
    return held;
  }
  if (const auto more = allowance(rule.max_increase, rule.max_increase_percent, *base)) {
    held.push_back({rule.metric, "max_increase", *base + *more, actual <= *base + *more, rule.severity});
  }
  if (const auto less = allowance(rule.max_decrease, rule.max_decrease_percent, *base)) {
    held.push_back({rule.metric, "max_decrease", *base - *less, actual >= *base - *less, rule.severity});
  }
  return held;
}

bool limits_change(const Rule& rule) {
  return rule.max_increase || rule.max_increase_percent || rule.max_decrease || rule.max_decrease_percent;
}

/// The rules about changes that rest, for want of a base.
void add_skipped(const Rule& rule, Document& skipped) {
  if (rule.max_increase || rule.max_increase_percent) {
    skipped.push_back({{"metric", rule.metric}, {"rule", "max_increase"}});
  }
  if (rule.max_decrease || rule.max_decrease_percent) {
    skipped.push_back({{"metric", rule.metric}, {"rule", "max_decrease"}});
  }
}

/// "It ran, and now it does not" is a regression that no budget needs to spell out; that it never ran is worth a word.
Document verdict_row(const Document& actual, const Document* base) {
  const bool as_before = base != nullptr && *base == actual;
  const bool fits = actual != kDoesNotFit;
  Document row = {
      {"metric", kVerdict}, {"rule", "fits"}, {"limit", !fits && as_before ? "as before" : "fits"}, {"actual", actual}};
  if (base != nullptr) {
    row["base"] = *base;
  }
  row["severity"] = !fits && as_before ? "warn" : "fail";
  row["passed"] = fits;
  return row;
}

std::string shown_input(const Document* value) {
  return value == nullptr ? "nothing" : value->is_string() ? value->get<std::string>() : value->dump();
}

/// That the reports are of different GPUs or jobs: what changed may be that, and no regression.
Document comparison_warnings(const Document& actual, const Document& base) {
  constexpr std::size_t kMostNamed = 5;
  constexpr const char* kGpu = "machine.gpu";
  const Leaves now = inputs_of(actual);
  const Leaves before = inputs_of(base);
  const auto told = [&](const std::string& name) {
    return fmt::format("{} is {}, and {} in the base", name, shown_input(find(now, name)),
                       shown_input(find(before, name)));
  };
  Document warnings = Document::array();
  std::vector<std::string> jobs;
  for (const std::string& name : differing(before, now)) {
    if (name == kGpu) {
      warnings.push_back({{"code", "different-gpu"},
                          {"message", "the reports are of different GPUs: " + told(name)},
                          {"hint", "compare reports of the same GPU to judge a change of the job"}});
    } else if (!name.starts_with("machine.")) {
      jobs.push_back(told(name));
    }
  }
  if (!jobs.empty()) {
    const std::string more = jobs.size() > kMostNamed ? fmt::format("; and {} more", jobs.size() - kMostNamed) : "";
    jobs.resize(std::min(jobs.size(), kMostNamed));
    warnings.push_back({{"code", "different-job"},
                        {"message", fmt::format("the jobs differ: {}{}", fmt::join(jobs, "; "), more)},
                        {"hint", "vggplan diff tells what each change does"}});
  }
  return warnings;
}

}  // namespace

base::Result<Document> build_check(const Document& actual, const Document* base, const std::vector<Rule>& rules) {
  const Leaves figures = figures_of(actual);
  const Leaves base_figures = base == nullptr ? Leaves() : figures_of(*base);
  Document rows = Document::array();
  Document skipped = Document::array();
  if (const Document* verdict = find(figures, kVerdict)) {
    rows.push_back(verdict_row(*verdict, find(base_figures, kVerdict)));
  }
  for (const Rule& rule : rules) {
    const Document* value = find(figures, rule.metric);
    const Document* before = find(base_figures, rule.metric);
    before = before != nullptr && before->is_number() ? before : nullptr;
    if (value == nullptr || !value->is_number()) {
      return base::wrong(rule.place, fmt::format("{} is not a figure of the report", base::quoted(rule.metric)));
    }
    if (base == nullptr) {
      add_skipped(rule, skipped);
    } else if (limits_change(rule) && before == nullptr) {
      return base::wrong(rule.place,
                         fmt::format("limits the change of {}, which the base report lacks", base::quoted(rule.metric)),
                         "estimate both with the same flags, or limit it with max or min");
    }
    const double base_value = before == nullptr ? 0 : before->get<double>();
    for (const Held& held : hold(rule, value->get<double>(), before == nullptr ? nullptr : &base_value)) {
      rows.push_back(row_of(held, *value, before));
    }
  }
  const bool passed = std::all_of(rows.begin(), rows.end(), [](const Document& row) {
    return row.at("passed").get<bool>() || row.at("severity") == "warn";
  });
  Document report = start(Kind::check, actual);
  report["passed"] = passed;
  report["checks"] = std::move(rows);
  if (!skipped.empty()) {
    report["skipped"] = std::move(skipped);
  }
  if (base != nullptr && actual.contains("job")) {
    if (Document warnings = comparison_warnings(actual, *base); !warnings.empty()) {
      report["warnings"] = std::move(warnings);
    }
  }
  return report;
}

}  // namespace vggplan::report
