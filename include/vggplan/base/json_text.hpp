// SPDX-License-Identifier: MIT
// JSON from outside, read in one way whatever the file is. A template, so that this room needs no JSON library.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "vggplan/base/format.hpp"
#include "vggplan/base/result.hpp"

namespace vggplan::base {

/// Deeper, and with more keys in one object, than any file of ours. What reads and shows them recurses, and looks
/// keys up one by one.
inline constexpr std::size_t kDeepestNesting = 64;
inline constexpr std::size_t kMostKeys = 10'000;

/// Refuses what a parser would stop at in silence (a NUL byte) or spend itself on (nesting, keys), in one pass.
/// `line` is the number of the first line.
Status check_json_text(std::string_view text, std::string_view place, std::size_t line = 1);

/// Whether a key occurs twice in an object, for the callback of `Json::parse`.
template <class Json>
class KeyWatch {
 public:
  bool operator()(int /*depth*/, typename Json::parse_event_t event, Json& value) {
    if (event == Json::parse_event_t::object_start) {
      open_.emplace_back();
    } else if (event == Json::parse_event_t::object_end) {
      open_.pop_back();
    } else if (event == Json::parse_event_t::key) {
      auto key = value.template get<std::string>();
      if (!open_.back().insert(key).second && twice_.empty()) {
        twice_ = base::quoted(key);
      }
    }
    return true;
  }
  /// The first such key in quotes; empty for none.
  [[nodiscard]] const std::string& twice() const { return twice_; }

 private:
  std::vector<std::set<std::string>> open_{};
  std::string twice_{};
};

/// Errors name `place`, and line and column where the parser knows them.
template <class Json>
Result<Json> parse_json(std::string_view text, std::string_view place, std::size_t line = 1) {
  TRY(check_json_text(text, place, line));
  const std::string where(place);
  try {
    KeyWatch<Json> watch;
    Json value = Json::parse(
        text.begin(), text.end(),
        [&watch](int depth, typename Json::parse_event_t event, Json& part) { return watch(depth, event, part); });
    if (!watch.twice().empty()) {
      return wrong(place, "the key " + watch.twice() + " occurs twice", "keep one of them");
    }
    return value;
  } catch (const typename Json::parse_error& error) {
    return wrong(where + ":" + text_position(text, error.byte, line), not_json(error.what()));
  } catch (const typename Json::exception& error) {
    return wrong(place, not_json(error.what()));
  }
}

}  // namespace vggplan::base
