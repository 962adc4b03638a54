// SPDX-License-Identifier: MIT
#include "vggplan/catalog/json_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "vggplan/base/format.hpp"

namespace vggplan::catalog {

namespace {

using nlohmann::json;

std::string_view kind_of(const json& value) {
  switch (value.type()) {
    case json::value_t::null: return "null";
    case json::value_t::object: return "an object";
    case json::value_t::array: return "an array";
    case json::value_t::string: return "a string";
    case json::value_t::boolean: return "true or false";
    case json::value_t::number_integer:
    case json::value_t::number_unsigned:
    case json::value_t::number_float: return "a number";
    case json::value_t::binary:
    case json::value_t::discarded: return "something else";
  }
  return "something else";
}

/// The value as a whole number: 1e9 counts as one, 1.5 and 1e300 do not.
std::optional<std::int64_t> whole(const json& value) {
  if (value.is_number_unsigned()) {
    const auto count = value.get<std::uint64_t>();
    return static_cast<std::int64_t>(std::min<std::uint64_t>(count, std::uint64_t{1} << 62));
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

std::string range_text(const Range& range) {
  return fmt::format("{} {} and {} {}", range.low_open ? "above" : "at least", range.low,
                     range.high_open ? "below" : "at most", range.high);
}

bool within(double number, const Range& range) {
  const bool low = range.low_open ? number > range.low : number >= range.low;
  const bool high = range.high_open ? number < range.high : number <= range.high;
  return low && high;
}

bool plain_name(std::string_view name) {
  constexpr std::size_t kLongest = 64;
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); };
  return !name.empty() && name.size() <= kLongest && letter(name.front()) &&
         std::ranges::all_of(name, [&](char c) { return letter(c) || c == '.' || c == '_' || c == '-'; });
}

/// A JSON pointer writes '~' and '/' inside a key as "~0" and "~1" (RFC 6901).
std::string escaped(std::string_view key) {
  std::string out;
  for (const char c : key) {
    out += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  }
  return out;
}

}  // namespace

ObjectReader::ObjectReader(const json& value, std::string pointer, Context& context)
    : value_(value), pointer_(std::move(pointer)), context_(context) {
  if (!value_.is_object() && !context_.error) {
    context_.error = base::wrong(pointer_.empty() ? context_.shown : context_.shown + ":" + pointer_,
                                 fmt::format("must be an object, not {}", kind_of(value_)));
  }
}

std::string ObjectReader::pointer_to(std::string_view key) const { return pointer_ + "/" + escaped(key); }

void ObjectReader::report(std::string_view key, std::string rule, std::string remedy) {
  if (!context_.error) {
    context_.error = base::wrong(context_.shown + ":" + pointer_to(key), std::move(rule), std::move(remedy));
  }
}

bool ObjectReader::has(std::string_view key) const { return value_.is_object() && value_.contains(key); }

const json* ObjectReader::find(std::string_view key, bool required) {
  known_.emplace(key);
  if (has(key)) {
    return &*value_.find(key);
  }
  if (required && value_.is_object()) {
    report(key, "is missing", fmt::format("'vggplan schema {}' lists the keys", context_.schema));
  }
  return nullptr;
}

std::optional<std::string> ObjectReader::optional_text(std::string_view key) {
  const json* value = find(key);
  if (value == nullptr) {
    return std::nullopt;
  }
  if (!value->is_string()) {
    report(key, fmt::format("must be a string, not {}", kind_of(*value)), "");
    return std::nullopt;
  }
  auto text = value->get<std::string>();
  if (text.empty()) {
    report(key, "must not be empty", "");
  }
  return text;
}

std::optional<std::string> ObjectReader::optional_name(std::string_view key) {
  auto text = optional_text(key);
  if (text && !text->empty() && !plain_name(*text)) {
    report(key, fmt::format("{} is not a name", base::quoted(*text)),
           "use up to 64 letters, digits, '.', '_' and '-', a letter or a digit first");
  }
  return text;
}

std::optional<std::int64_t> ObjectReader::optional_integer(std::string_view key, std::int64_t low, std::int64_t high) {
  const json* value = find(key);
  if (value == nullptr) {
    return std::nullopt;
  }
  const auto count = whole(*value);
  if (!count) {
    report(key,
           fmt::format("must be a whole number, not {}",
                       value->is_number() ? base::quoted(value->dump()) : kind_of(*value)),
           "");
  } else if (*count < low || *count > high) {
    report(key, fmt::format("must be from {} to {}, not {}", low, high, value->dump()), "");
  }
  return count;
}

std::optional<double> ObjectReader::optional_number(std::string_view key, Range range) {
  const json* value = find(key);
  if (value == nullptr) {
    return std::nullopt;
  }
  if (!value->is_number()) {
    report(key, fmt::format("must be a number, not {}", kind_of(*value)), "");
    return std::nullopt;
  }
  const double number = value->get<double>();
  if (!within(number, range)) {
    report(key, fmt::format("must be {}, not {}", range_text(range), value->dump()), "");
  }
  return number;
}

bool ObjectReader::optional_boolean(std::string_view key, bool otherwise) {
  const json* value = find(key);
  if (value != nullptr && !value->is_boolean()) {
    report(key, fmt::format("must be true or false, not {}", kind_of(*value)), "");
  }
  return value != nullptr && value->is_boolean() ? value->get<bool>() : otherwise;
}

const json* ObjectReader::array(std::string_view key, bool required) {
  const json* value = find(key, required);
  if (value != nullptr && !value->is_array()) {
    report(key, fmt::format("must be an array, not {}", kind_of(*value)), "");
    return nullptr;
  }
  return value;
}

std::vector<std::string> ObjectReader::texts(std::string_view key) {
  std::vector<std::string> out;
  const json* list = array(key, false);
  if (list == nullptr) {
    return out;
  }
  for (const json& item : *list) {
    if (!item.is_string() || item.get_ref<const std::string&>().empty()) {
      report(key, "must hold strings that are not empty", "");
      return out;
    }
    out.push_back(item.get<std::string>());
  }
  return out;
}

void ObjectReader::finish() {
  if (!value_.is_object() || context_.unknown_key) {
    return;
  }
  for (const auto& [key, value] : value_.items()) {
    if (!known_.contains(key)) {
      const std::vector<std::string> names(known_.begin(), known_.end());
      context_.error = base::wrong(context_.shown + ":" + pointer_to(key),
                                   fmt::format("unknown key {}", base::quoted(key)), base::suggestion(key, names));
      context_.unknown_key = true;
      return;
    }
  }
}

}  // namespace vggplan::catalog
