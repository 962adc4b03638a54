// SPDX-License-Identifier: MIT
#include "report/values.hpp"

#include <cmath>
#include <stdexcept>

#include "vggplan/base/version.hpp"

namespace vggplan::report {

double rounded(double value) {
  if (!std::isfinite(value)) {
    throw std::logic_error("a figure of the report is not a finite number");
  }
  if (value == 0.0) {
    return 0.0;
  }
  // Whole numbers keep every digit: dividing them back could cost the last one.
  if (std::abs(value) >= 1e9) {
    return std::round(value);
  }
  const int digits = 8 - static_cast<int>(std::floor(std::log10(std::abs(value))));
  if (digits > 300) {
    return 0.0;  // a denormal: 10^digits would overflow
  }
  const double scale = std::pow(10.0, digits);
  return std::round(value * scale) / scale;
}

void set_if(Document& object, std::string_view key, const std::optional<std::string>& value) {
  if (value) {
    object[std::string(key)] = *value;
  }
}

void set_if_not_empty(Document& object, std::string_view key, const std::string& value) {
  if (!value.empty()) {
    object[std::string(key)] = value;
  }
}

Document start(Kind kind, const Document& about) {
  Document report = Document::object();
  report["schema_version"] = kSchemaVersion;
  report["kind"] = base::name_of_enum(kind);
  report["tool"] = {{"name", "vggplan"}, {"version", base::kVersion}};
  for (const char* key : {"job", "machine"}) {
    if (about.contains(key)) {
      report[key] = about.at(key);
    }
  }
  return report;
}

}  // namespace vggplan::report
