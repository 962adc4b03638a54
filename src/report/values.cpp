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

void add(Document& object, Document::initializer_list_t members) {
  Document given = Document::object(members);
  for (auto member = given.begin(); member != given.end(); ++member) {
    if (!member->is_null()) {
      object[member.key()] = std::move(*member);
    }
  }
}

Document object_of(Document::initializer_list_t members) {
  Document object = Document::object();
  add(object, members);
  return object;
}

Document start(Kind kind, const Document& about) {
  return object_of({{"schema_version", kSchemaVersion},
                    {"kind", base::name_of_enum(kind)},
                    {"tool", {{"name", "vggplan"}, {"version", base::kVersion}}},
                    {"job", about.value("job", Document())},
                    {"machine", about.value("machine", Document())}});
}

}  // namespace vggplan::report
