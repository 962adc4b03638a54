// SPDX-License-Identifier: MIT
// Sizes and durations typed by users: any text gives a value in range or a diagnostic with a remedy.
#include "targets.hpp"
#include "vggplan/base/checked.hpp"
#include "vggplan/base/format.hpp"

namespace vggplan::fuzz {

namespace {

void require_diagnostic(const base::Diagnostic& error) {
  require(error.place == "--flag" && !error.remedy.empty() && is_readable(error.rule), "units: " + error.rule);
}

}  // namespace

void units(const std::string& input) {
  if (const auto bytes = base::parse_bytes(input, "--flag")) {
    require(bytes->count() >= 0 && bytes->count() <= base::kLargestExact, "units: size");
    require(base::parse_bytes(base::format_bytes(*bytes), "--flag").has_value(), "units: a size is not read again");
  } else {
    require_diagnostic(bytes.error());
  }
  if (const auto time = base::parse_duration(input, "--flag")) {
    require(time->count() >= 0 && !base::format_seconds(*time).empty(), "units: time");
  } else {
    require_diagnostic(time.error());
  }
}

}  // namespace vggplan::fuzz
