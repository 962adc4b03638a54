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

/// The farthest that a figure may go from `base` to one side: beyond it every limit given has tripped.
std::optional<double> farthest(double base, int side, const std::optional<double>& absolute,
                               const std::optional<double>& percent) {
  if (!absolute && !percent) {
    return std::nullopt;
  }
  return base + side * std::max(absolute.value_or(0), percent.value_or(0) / 100 * std::abs(base));
}

Document or_null(const Document* value) { return value == nullptr ? Document() : *value; }

/// A row for each limit of `rule`; those of changes rest where there is no `base`.
void add_rows(Document& rows, const Rule& rule, const Document& actual, const Document* base) {
  const auto value = actual.get<double>();
  const double before = base == nullptr ? 0 : base->get<double>();
  const auto hold = [&](const char* name, const std::optional<double>& limit, bool is_most) {
    if (limit) {
      rows.push_back(object_of({{"metric", rule.metric},
                                {"rule", name},
                                {"limit", shown(*limit, actual)},
                                {"actual", actual},
                                {"base", or_null(base)},
                                {"delta", base == nullptr ? Document() : shown(value - before, actual)},
                                {"severity", rule.severity == Severity::warn ? "warn" : "fail"},
                                {"passed", is_most ? value <= *limit : value >= *limit}}));
    }
  };
  hold("max", rule.max, true);
  hold("min", rule.min, false);
  if (base != nullptr) {
    hold("max_increase", farthest(before, 1, rule.max_increase, rule.max_increase_percent), true);
    hold("max_decrease", farthest(before, -1, rule.max_decrease, rule.max_decrease_percent), false);
  }
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
  const bool fits = actual != kDoesNotFit;
  const bool still_not = !fits && base != nullptr && *base == actual;
  return object_of({{"metric", kVerdict},
                    {"rule", "fits"},
                    {"limit", still_not ? "as before" : "fits"},
                    {"actual", actual},
                    {"base", or_null(base)},
                    {"severity", still_not ? "warn" : "fail"},
                    {"passed", fits}});
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
    } else if (rule.limits_change() && before == nullptr) {
      return base::wrong(rule.place,
                         fmt::format("limits the change of {}, which the base report lacks", base::quoted(rule.metric)),
                         "estimate both with the same flags, or limit it with max or min");
    }
    add_rows(rows, rule, *value, before);
  }
  const bool passed = std::ranges::all_of(
      rows, [](const Document& row) { return row.at("passed").get<bool>() || row.at("severity") == "warn"; });
  const bool compares_jobs = base != nullptr && actual.contains("job");
  Document report = start(Kind::check, actual);
  add(report, {{"passed", passed},
               {"checks", std::move(rows)},
               {"skipped", filled(std::move(skipped))},
               {"warnings", compares_jobs ? filled(comparison_warnings(actual, *base)) : Document()}});
  return report;
}

}  // namespace vggplan::report
