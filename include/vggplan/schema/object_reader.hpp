// SPDX-License-Identifier: MIT
// Objects of JSON that hold what their schema allows, to values. Rules between keys, which no schema tells, are the
// caller's to report.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vggplan/base/names.hpp"
#include "vggplan/base/result.hpp"
#include "vggplan/base/units.hpp"
#include "vggplan/schema/validate.hpp"

namespace vggplan::schema {

/// Reads one object. What is absent, or of a type that the schema does not allow, yields `otherwise`.
class ObjectReader {
 public:
  struct Context {
    std::string file{};    ///< as errors call it
    base::Status error{};  ///< the first one
  };

  ObjectReader(const Json& value, std::string pointer, Context& context)
      : value_(value), pointer_(std::move(pointer)), context_(context) {}

  [[nodiscard]] bool has(std::string_view key) const { return find(key) != nullptr; }
  /// Null where there is none.
  [[nodiscard]] const Json* find(std::string_view key) const;
  /// Empty where there is none.
  [[nodiscard]] const Json& list(std::string_view key) const;

  [[nodiscard]] std::string text(std::string_view key, std::string_view otherwise = "") const;
  [[nodiscard]] bool boolean(std::string_view key, bool otherwise = false) const;
  [[nodiscard]] std::optional<std::int64_t> optional_integer(std::string_view key) const;
  [[nodiscard]] std::optional<double> optional_number(std::string_view key) const;
  [[nodiscard]] std::optional<std::string> optional_text(std::string_view key) const;
  [[nodiscard]] std::vector<std::string> texts(std::string_view key) const;
  [[nodiscard]] std::vector<std::int64_t> integers(std::string_view key) const;

  [[nodiscard]] std::int64_t integer(std::string_view key, std::int64_t otherwise = 0) const {
    return optional_integer(key).value_or(otherwise);
  }
  [[nodiscard]] double number(std::string_view key, double otherwise = 0.0) const {
    return optional_number(key).value_or(otherwise);
  }
  [[nodiscard]] base::Bytes bytes(std::string_view key) const { return base::Bytes(integer(key)); }
  [[nodiscard]] std::optional<base::Bytes> optional_bytes(std::string_view key) const {
    const auto count = optional_integer(key);
    return count ? std::optional(base::Bytes(*count)) : std::nullopt;
  }
  template <class Q>
  [[nodiscard]] std::optional<Q> optional_quantity(std::string_view key) const {
    const auto value = optional_number(key);
    return value ? std::optional(Q(*value)) : std::nullopt;
  }
  template <class E>
  [[nodiscard]] E enumeration(std::string_view key, E otherwise = E{}) const {
    return base::parse_enum<E>(text(key)).value_or(otherwise);
  }

  /// Calls `read` with a reader of the object at `key`, if there is one.
  template <class Read>
  void inside(std::string_view key, Read read) const {
    if (const Json* value = find(key)) {
      read(ObjectReader(*value, pointer_to(key), context_));
    }
  }
  /// Calls `read` with a reader of each object of the array at `key`.
  template <class Read>
  void each(std::string_view key, Read read) const {
    const Json& items = list(key);
    for (std::size_t i = 0; i < items.size(); ++i) {
      read(ObjectReader(items[i], pointer_to(key) + "/" + std::to_string(i), context_));
    }
  }

  [[nodiscard]] std::string pointer_to(std::string_view key) const;
  /// As errors call it.
  [[nodiscard]] std::string place() const { return context_.file + ":" + pointer_; }
  void report(std::string_view key, std::string rule, std::string remedy = "") const;

 private:
  const Json& value_;
  std::string pointer_;
  Context& context_;
};

/// A key inside a JSON pointer: '~' and '/' are written as "~0" and "~1" (RFC 6901).
std::string escaped(std::string_view key);

/// The number, where it is a whole one: 1e9 is, 1.5 and 1e300 are not.
std::optional<std::int64_t> whole(const Json& value);

}  // namespace vggplan::schema
