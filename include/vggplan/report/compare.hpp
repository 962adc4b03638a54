// SPDX-License-Identifier: MIT
// Reports against each other and against limits. Works on saved reports, so on documents.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vggplan/report/document.hpp"

namespace vggplan::report {

/// What of a report is compared: an estimate, or the recommendation of a plan. `place` names the file in the error.
base::Result<Document> comparable(const Document& report, std::string_view place);

/// The inputs that differ, and the figures that differ, of two comparable documents.
Document build_diff(const Document& before, const Document& after);

/// What changing `input` does to the main figures: memory, step and speed.
Document attribution_row(const std::string& input, const Document& before, const Document& after);
/// Whether the main figures of two estimates are the same.
bool same_figures(const Document& a, const Document& b);

enum class Severity { warn, fail };

/// A limit for one figure. A rule trips when the figure is beyond every limit of increase given, or beyond `max`
/// or `min`.
struct Rule {
  std::string metric{};  ///< "memory.reserved_peak_bytes"
  std::string place{};   ///< in the budget file, for errors
  std::optional<double> max{};
  std::optional<double> min{};
  std::optional<double> max_increase{};          ///< in the metric's unit
  std::optional<double> max_increase_percent{};  ///< of the base
  std::optional<double> max_decrease{};
  std::optional<double> max_decrease_percent{};
  Severity severity{Severity::fail};

  [[nodiscard]] bool limits_change() const {
    return max_increase || max_increase_percent || max_decrease || max_decrease_percent;
  }
};

/// Rules of a budget file, strict about keys and about the figures that `report` has; `place` names the file.
base::Result<std::vector<Rule>> read_budget(const Document& budget, std::string_view place, const Document& report);

/// The rules against `actual`, and against `base` where there is one. Without it rules about changes are reported as
/// skipped; a base that lacks the figure is an error. A report that does not fit fails, whatever the rules; where the
/// base does not fit either, that is a warning.
base::Result<Document> build_check(const Document& actual, const Document* base, const std::vector<Rule>& rules);

}  // namespace vggplan::report
