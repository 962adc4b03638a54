// SPDX-License-Identifier: MIT
// A pickle of plain data: dicts, lists, tuples, strings, integers, floats, booleans and None. Whatever would make
// Python call something is refused by name, so a file of a stranger can only be data. Values are kept as indices
// into the file and into one list of containers: what is shared stays shared, and a small file cannot unfold into a
// large one.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "vggplan/base/result.hpp"

namespace vggplan::runs {

class Pickle {
 public:
  enum class Type : std::uint8_t { none, boolean, integer, real, text, list, tuple, dict, mark };
  struct Value {
    Type type{Type::none};
    std::uint32_t length{};  ///< of a text
    union {
      std::int64_t integer{0};  ///< also of a boolean; the place of a text; the index of a container
      double real;
    };
  };

  /// `bytes` must outlive the pickle. Errors name `place` and the byte.
  static base::Result<Pickle> read(std::string_view bytes, std::string_view place);

  [[nodiscard]] const Value& root() const { return root_; }
  /// What a dict has for a key; nothing for what is no dict.
  [[nodiscard]] std::optional<Value> member(const Value& dict, std::string_view key) const;
  /// Of a list or tuple; empty for what is neither.
  [[nodiscard]] const std::vector<Value>& items(const Value& list) const;
  [[nodiscard]] std::string_view text(const Value& value) const;  ///< empty for what is no text

 private:
  friend class Unpickler;
  std::string_view bytes_{};
  std::vector<std::vector<Value>> containers_{};  ///< of dicts: keys and values by turns
  Value root_{};
};

}  // namespace vggplan::runs
