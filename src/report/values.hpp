// SPDX-License-Identifier: MIT
// How typed values become JSON values.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "vggplan/base/estimated.hpp"
#include "vggplan/base/names.hpp"
#include "vggplan/base/units.hpp"
#include "vggplan/report/document.hpp"

namespace vggplan::report {

/// Nine significant digits: more would be noise of the arithmetic, and differ between compilers.
double rounded(double value);

inline Document plain(std::int64_t value) { return value; }
inline Document plain(double value) { return rounded(value); }
template <class Tag, class Rep>
Document plain(base::Quantity<Tag, Rep> value) {
  return plain(value.count());
}

template <class T>
Document quantity(const base::Estimated<T>& estimated) {
  Document object = Document::object();
  object["value"] = plain(estimated.value);
  object["low"] = plain(estimated.low);
  object["high"] = plain(estimated.high);
  object["basis"] = base::name_of_enum(estimated.basis);
  return object;
}

/// Sets `key` where there is a value: what does not apply is absent.
template <class T>
void set_if(Document& object, std::string_view key, const std::optional<T>& value) {
  if (value) {
    object[std::string(key)] = plain(*value);
  }
}
void set_if(Document& object, std::string_view key, const std::optional<std::string>& value);
void set_if_not_empty(Document& object, std::string_view key, const std::string& value);

template <class E>
std::string enum_name(E value) {
  return std::string(base::name_of_enum(value));
}

/// schema_version, kind and tool, which every report starts with; and the job and machine of `about`, where it has
/// them.
Document start(Kind kind, const Document& about = Document::object());

}  // namespace vggplan::report
