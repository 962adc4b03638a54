// SPDX-License-Identifier: MIT
#include "vggplan/schema/object_reader.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "vggplan/base/checked.hpp"

namespace vggplan::schema {

std::string escaped(std::string_view key) {
  std::string out;
  for (const char c : key) {
    out += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  }
  return out;
}

std::optional<std::int64_t> whole(const Json& value) {
  if (value.is_number_unsigned()) {
    constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
    return static_cast<std::int64_t>(std::min(value.get<std::uint64_t>(), kMost));
  }
  if (value.is_number_integer()) {
    return value.get<std::int64_t>();
  }
  if (value.is_number_float()) {
    const double number = value.get<double>();
    if (std::floor(number) == number && std::abs(number) <= static_cast<double>(base::kLargestExact)) {
      return static_cast<std::int64_t>(number);
    }
  }
  return std::nullopt;
}

const Json* ObjectReader::find(std::string_view key) const {
  if (!value_.is_object()) {
    return nullptr;
  }
  const auto found = value_.find(key);
  return found == value_.end() ? nullptr : &*found;
}

const Json& ObjectReader::list(std::string_view key) const {
  static const Json kNone = Json::array();
  const Json* value = find(key);
  return value != nullptr && value->is_array() ? *value : kNone;
}

std::optional<std::string> ObjectReader::optional_text(std::string_view key) const {
  const Json* value = find(key);
  return value != nullptr && value->is_string() ? std::optional(value->get<std::string>()) : std::nullopt;
}

std::string ObjectReader::text(std::string_view key, std::string_view otherwise) const {
  return optional_text(key).value_or(std::string(otherwise));
}

bool ObjectReader::boolean(std::string_view key, bool otherwise) const {
  const Json* value = find(key);
  return value != nullptr && value->is_boolean() ? value->get<bool>() : otherwise;
}

std::optional<std::int64_t> ObjectReader::optional_integer(std::string_view key) const {
  const Json* value = find(key);
  return value == nullptr ? std::nullopt : whole(*value);
}

std::optional<double> ObjectReader::optional_number(std::string_view key) const {
  const Json* value = find(key);
  return value != nullptr && value->is_number() ? std::optional(value->get<double>()) : std::nullopt;
}

std::vector<std::string> ObjectReader::texts(std::string_view key) const {
  std::vector<std::string> out;
  for (const Json& item : list(key)) {
    out.push_back(item.is_string() ? item.get<std::string>() : "");
  }
  return out;
}

std::vector<std::int64_t> ObjectReader::integers(std::string_view key) const {
  std::vector<std::int64_t> out;
  for (const Json& item : list(key)) {
    out.push_back(whole(item).value_or(0));
  }
  return out;
}

std::string ObjectReader::pointer_to(std::string_view key) const { return pointer_ + "/" + escaped(key); }

void ObjectReader::report(std::string_view key, std::string rule, std::string remedy) const {
  if (!context_.error) {
    context_.error = base::wrong(context_.file + ":" + pointer_to(key), std::move(rule), std::move(remedy));
  }
}

}  // namespace vggplan::schema
