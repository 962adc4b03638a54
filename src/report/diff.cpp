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
