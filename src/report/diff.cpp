// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "report/flatten.hpp"
#include "report/values.hpp"
#include "vggplan/report/compare.hpp"

namespace vggplan::report {

namespace {

void flatten(const std::string& prefix, const Document& value, Leaves& leaves) {
  if (value.is_object() && value.contains("value")) {
    leaves.emplace_back(prefix, value.at("value"));
  } else if (value.is_object()) {
    for (const auto& [key, item] : value.items()) {
      // By layer it is as long as the network; by category it says enough.
      if (key != "breakdown_by_layer") {
        flatten(prefix.empty() ? key : prefix + "." + key, item, leaves);
      }
    }
  } else if (!value.is_array()) {
    leaves.emplace_back(prefix, value);
  }
}

void flatten_section(const Document& report, const std::string& section, const std::string& prefix, Leaves& leaves) {
  const auto found = report.find(section);
  if (found != report.end()) {
    flatten(prefix, *found, leaves);
  }
}

Document difference(const std::string& label, const std::string& name, const Document* before, const Document* after) {
  Document row = {{label, name}};
  if (before != nullptr) {
    row["old"] = *before;
  }
  if (after != nullptr) {
    row["new"] = *after;
  }
  const bool numbers = before != nullptr && after != nullptr && before->is_number() && after->is_number();
  if (numbers && before->is_number_integer() && after->is_number_integer()) {
    row["delta"] = after->get<std::int64_t>() - before->get<std::int64_t>();
  } else if (numbers) {
    row["delta"] = plain(after->get<double>() - before->get<double>());
  }
  if (numbers && before->get<double>() != 0) {
    const double share = (after->get<double>() - before->get<double>()) / before->get<double>();
    // Hundredths of a percent are enough to read, and steady against rounding.
    if (std::isfinite(share * 1e4)) {
      row["delta_percent"] = std::round(share * 1e4) / 100;
    }
  }
  return row;
}

Document differences(const std::string& label, const Leaves& before, const Leaves& after) {
  Document rows = Document::array();
  for (const std::string& name : differing(before, after)) {
    rows.push_back(difference(label, name, find(before, name), find(after, name)));
  }
  return rows;
}

constexpr std::array<const char*, 4> kMainFigures{"memory.reserved_peak_bytes", "memory.allocated_peak_bytes",
                                                  "time.step_seconds", "time.images_per_second"};

}  // namespace

Leaves inputs_of(const Document& report) {
  Leaves leaves;
  flatten_section(report, "job", "", leaves);
  Leaves machine;
  flatten_section(report, "machine", "machine", machine);
  // The job has these already.
  constexpr std::array<std::string_view, 3> kRepeated{"machine.gpu_count", "machine.nodes", "machine.gpu_title"};
  std::erase_if(machine, [&](const auto& leaf) { return std::ranges::find(kRepeated, leaf.first) != kRepeated.end(); });
  leaves.insert(leaves.end(), machine.begin(), machine.end());
  return leaves;
}

Leaves figures_of(const Document& report) {
  Leaves leaves;
  for (const char* section : {"model", "memory", "time", "input", "storage", "run"}) {
    flatten_section(report, section, section, leaves);
  }
  return leaves;
}

std::vector<std::string> differing(const Leaves& before, const Leaves& after) {
  std::vector<std::string> names;
  for (const auto& [name, value] : after) {
    const Document* old_value = find(before, name);
    if (old_value == nullptr || *old_value != value) {
      names.push_back(name);
    }
  }
  for (const auto& [name, value] : before) {
    if (find(after, name) == nullptr) {
      names.push_back(name);
    }
  }
  return names;
}

const Document* find(const Leaves& leaves, const std::string& name) {
  const auto found = std::find_if(leaves.begin(), leaves.end(), [&](const auto& leaf) { return leaf.first == name; });
  return found == leaves.end() ? nullptr : &found->second;
}

base::Result<Document> comparable(const Document& report, std::string_view place) {
  const Kind what = kind(report);
  if (what == Kind::estimate) {
    return report;
  }
  if (what == Kind::plan && report.contains("recommendation")) {
    return report.at("recommendation");
  }
  return base::wrong(place,
                     what == Kind::plan
                         ? std::string("is a plan for which nothing fits: there are no figures to compare")
                         : fmt::format("is a report of kind '{}', and figures are compared of estimates and plans",
                                       base::name_of_enum(what)),
                     "save one with: vggplan estimate ... --json --output FILE");
}

Document build_diff(const Document& before, const Document& after) {
  Document report = start(Kind::diff, after);
  report["inputs"] = differences("name", inputs_of(before), inputs_of(after));
  report["changes"] = differences("metric", figures_of(before), figures_of(after));
  return report;
}

Document attribution_row(const std::string& input, const Document& before, const Document& after) {
  const Leaves old_figures = figures_of(before);
  const Leaves new_figures = figures_of(after);
  Document effects = Document::object();
  for (const char* metric : kMainFigures) {
    effects[metric] = difference("metric", metric, find(old_figures, metric), find(new_figures, metric)).at("delta");
  }
  return {{"input", input}, {"effects", std::move(effects)}};
}

bool same_figures(const Document& a, const Document& b) {
  const Leaves of_a = figures_of(a);
  const Leaves of_b = figures_of(b);
  return std::all_of(kMainFigures.begin(), kMainFigures.end(), [&](const char* metric) {
    const Document* in_a = find(of_a, metric);
    const Document* in_b = find(of_b, metric);
    return in_a != nullptr && in_b != nullptr && *in_a == *in_b;
  });
}

}  // namespace vggplan::report
