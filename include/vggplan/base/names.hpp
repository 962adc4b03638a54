// SPDX-License-Identifier: MIT
// Enums are parsed at the edge by one table each, which also feeds help text, hints and schemas.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vggplan::base {

template <class E>
struct Named {
  E value{};
  std::string_view name{};
  std::string_view help{};
};

/// Specialise with a `static constexpr std::array<Named<E>, N> table`.
template <class E>
struct NameTable;

/// An enumerator as it is written, from what g++ and clang call this function: "... V = room::Enum::enumerator]". Where
/// there is none, it is a number in brackets.
template <auto V>
constexpr std::string_view enumerator() {
  std::string_view text = __PRETTY_FUNCTION__;
  text.remove_prefix(text.find("V = "));
  text = text.substr(0, text.find_first_of(";]"));
  return text.substr(text.rfind(':') + 1);
}
template <class E, int first = 0>
constexpr int count_enumerators() {
  if constexpr (enumerator<static_cast<E>(first)>().find(')') != std::string_view::npos) {
    return first;
  } else {
    return count_enumerators<E, first + 1>();
  }
}

/// A table of enumerators that need no other names and no help.
template <class E>
constexpr auto table_as_written() {
  return []<int... I>(std::integer_sequence<int, I...>) {
    return std::array{Named<E>{static_cast<E>(I), enumerator<static_cast<E>(I)>(), ""}...};
  }
  (std::make_integer_sequence<int, count_enumerators<E>()>());
}

template <class E>
constexpr std::string_view name_of_enum(E value) {
  for (const auto& row : NameTable<E>::table) {
    if (row.value == value) {
      return row.name;
    }
  }
  return "";
}

template <class E>
constexpr std::optional<E> parse_enum(std::string_view name) {
  for (const auto& row : NameTable<E>::table) {
    if (row.name == name) {
      return row.value;
    }
  }
  return std::nullopt;
}

template <class E>
std::vector<std::string> enum_names() {
  std::vector<std::string> names;
  for (const auto& row : NameTable<E>::table) {
    names.emplace_back(row.name);
  }
  return names;
}

/// Flags are written "cudnn-benchmark", keys of JSON "cudnn_benchmark"; settings files may do either.
std::string with_dashes(std::string_view key);
std::string with_underscores(std::string_view flag);

/// The candidates that `word` stands for in other tools (fp16, dp), or those nearest to it by edit distance, best
/// first, at most `most`; none when nothing is close enough to be a plausible slip of the keyboard.
std::vector<std::string> nearest(std::string_view word, std::span<const std::string> candidates, std::size_t most = 3);

/// "did you mean 'a', 'b' or 'c'?" or, when nothing is near, "choose from ...".
std::string suggestion(std::string_view word, std::span<const std::string> candidates);

}  // namespace vggplan::base
