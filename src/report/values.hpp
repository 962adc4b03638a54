// SPDX-License-Identifier: MIT
// How typed values become JSON values. What does not apply is null here, and absent from the report.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

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
/// A text or a list; null where it is empty.
template <class T>
Document filled(T value) {
  return value.empty() ? Document() : Document(std::move(value));
}
inline Document plain(const std::string& value) { return filled(value); }
template <class T>
Document plain(const std::optional<T>& value) {
  return value ? plain(*value) : Document();
}

template <class T>
Document quantity(const base::Estimated<T>& estimated) {
  return {{"value", plain(estimated.value)},
          {"low", plain(estimated.low)},
          {"high", plain(estimated.high)},
          {"basis", base::name_of_enum(estimated.basis)}};
}

template <class T>
Document quantity(const std::optional<base::Estimated<T>>& estimated) {
  return estimated ? quantity(*estimated) : Document();
}

inline Document when(bool applies, Document value) { return applies ? std::move(value) : Document(); }

/// Adds the members that are not null.
void add(Document& object, Document::initializer_list_t members);
Document object_of(Document::initializer_list_t members);

/// What `build` makes of each item.
template <class T, class Build>
Document list_of(const std::vector<T>& items, Build build) {
  Document list = Document::array();
  for (const T& item : items) {
    list.push_back(build(item));
  }
  return list;
}

template <class E>
std::string enum_name(E value) {
  return std::string(base::name_of_enum(value));
}

/// schema_version, kind and tool, which every report starts with; and the job and machine of `about`, where it has
/// them.
Document start(Kind kind, const Document& about = Document::object());

}  // namespace vggplan::report
