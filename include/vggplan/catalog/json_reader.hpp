// SPDX-License-Identifier: MIT
// Strict reading of JSON objects: every key must be known, every value of its type and in its range,
// and an error names the file and the JSON pointer.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "vggplan/base/checked.hpp"
#include "vggplan/base/names.hpp"
#include "vggplan/base/result.hpp"
#include "vggplan/base/units.hpp"

namespace vggplan::catalog {

/// Range of a number; `open` leaves out the end itself.
struct Range {
  double low{};
  double high{static_cast<double>(base::kLargestExact)};
  bool low_open{false};
  bool high_open{false};
};
/// Per second. Far from any machine's, and such that no time reckoned with them leaves what a number holds.
inline constexpr Range kRate{1, 1e18};

/// Reads one object. Errors go to a shared slot and the first one stays, except that an unknown key
/// wins: it is usually the misspelling of one that is then found missing. After an error the values
/// read are placeholders. Call finish() when every known key has been asked for.
class ObjectReader {
 public:
  struct Context {
    std::string shown{};   ///< the file, as errors call it
    std::string schema{};  ///< name of the schema that lists the keys
    base::Status error{};
    bool unknown_key{false};
  };

  ObjectReader(const nlohmann::json& value, std::string pointer, Context& context);

  void skip(std::string_view key) { known_.emplace(key); }  ///< known, of no interest
  std::string text(std::string_view key) { return needed(key).optional_text(key).value_or(""); }
  std::string name(std::string_view key) { return needed(key).optional_name(key).value_or(""); }
  bool boolean(std::string_view key) { return needed(key).optional_boolean(key, false); }
  std::int64_t integer(std::string_view key, std::int64_t low, std::int64_t high = base::kLargestExact) {
    return needed(key).optional_integer(key, low, high).value_or(low);
  }
  double number(std::string_view key, Range range) {
    return needed(key).optional_number(key, range).value_or(range.low);
  }

  std::optional<std::string> optional_text(std::string_view key);
  std::optional<std::string> optional_name(std::string_view key);  ///< letters, digits, '.', '_' and '-'
  bool optional_boolean(std::string_view key, bool otherwise);
  std::optional<std::int64_t> optional_integer(std::string_view key, std::int64_t low,
                                               std::int64_t high = base::kLargestExact);
  std::optional<double> optional_number(std::string_view key, Range range);
  /// Elements of an array; empty when the key is absent.
  std::vector<std::string> texts(std::string_view key);
  /// Whatever is there.
  const nlohmann::json* find(std::string_view key, bool required = false);
  const nlohmann::json* array(std::string_view key, bool required);

  /// Calls `read` with a reader of the object at `key`; an optional one may be absent.
  template <class Read>
  void inside(std::string_view key, Read read, bool required = true) {
    if (const nlohmann::json* value = find(key, required)) {
      ObjectReader reader(*value, pointer_to(key), context_);
      read(reader);
      reader.finish();
    }
  }
  /// Calls `read` with a reader of each object of the array at `key`.
  template <class Read>
  void each(std::string_view key, Read read, bool required = true) {
    const nlohmann::json* list = array(key, required);
    for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
      ObjectReader reader((*list)[i], pointer_to(key) + "/" + std::to_string(i), context_);
      read(reader);
      reader.finish();
    }
  }

  base::Bytes bytes(std::string_view key, std::int64_t low = 1) { return base::Bytes(integer(key, low)); }
  std::optional<base::Bytes> optional_bytes(std::string_view key) {
    const auto count = optional_integer(key, 1);
    return count ? std::optional(base::Bytes(*count)) : std::nullopt;
  }
  template <class Q>
  std::optional<Q> optional_quantity(std::string_view key, Range range = kRate) {
    const auto value = optional_number(key, range);
    return value ? std::optional(Q(*value)) : std::nullopt;
  }

  template <class E>
  E enumeration(std::string_view key) {
    const std::string word = text(key);
    const auto value = base::parse_enum<E>(word);
    if (!value && has(key)) {
      report(key, "unknown value '" + word + "'", base::suggestion(word, base::enum_names<E>()));
    }
    return value.value_or(E{});
  }
  template <class E>
  E optional_enumeration(std::string_view key, E otherwise) {
    skip(key);
    return has(key) ? enumeration<E>(key) : otherwise;
  }

  [[nodiscard]] bool has(std::string_view key) const;
  [[nodiscard]] bool knows(std::string_view key) const { return known_.contains(key); }
  [[nodiscard]] std::string pointer_to(std::string_view key) const;
  /// As errors call it.
  [[nodiscard]] std::string place() const { return context_.shown + ":" + pointer_; }
  void report(std::string_view key, std::string rule, std::string remedy);
  void finish();

 private:
  /// Says so where the key is missing.
  ObjectReader& needed(std::string_view key) {
    static_cast<void>(find(key, true));
    return *this;
  }

  const nlohmann::json& value_;
  std::string pointer_;
  Context& context_;
  std::set<std::string, std::less<>> known_{};
};

}  // namespace vggplan::catalog
