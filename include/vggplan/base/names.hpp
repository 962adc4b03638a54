// SPDX-License-Identifier: MIT
// Enums are parsed at the edge by one table each, which also feeds help text, hints and schemas.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vggplan::base {

/// An enumerator as it is written, from what g++ and clang call this function: "... V = room::Enum::enumerator]". Where
/// there is none, it is a number in brackets.
template <auto V>
constexpr std::string_view enumerator() {
  std::string_view text = __PRETTY_FUNCTION__;
  text.remove_prefix(text.find("V = "));
  text = text.substr(0, text.find_first_of(";]"));
  return text.substr(text.rfind(':') + 1);
}
/// The same as words of the command line are spelt: "amp-bf16" of amp_bf16.
template <auto V>
inline constexpr auto kDashed = [] {
  std::array<char, enumerator<V>().size()> text{};
  std::ranges::replace_copy(enumerator<V>(), text.begin(), '_', '-');
  return text;
}();
template <class E, int first = 0>
constexpr int count_enumerators() {
  if constexpr (enumerator<static_cast<E>(first)>().find(')') != std::string_view::npos) {
    return first;
  } else {
    return count_enumerators<E, first + 1>();
  }
}

template <class E>
struct Named {
  E value{};
  std::string_view name{};
};

template <class E, bool dashes>
constexpr auto table_of_enumerators() {
  return []<int... I>(std::integer_sequence<int, I...>) {
    return std::array{Named<E>{static_cast<E>(I), dashes ? std::string_view(kDashed<static_cast<E>(I)>.data(),
                                                                            kDashed<static_cast<E>(I)>.size())
                                                         : enumerator<static_cast<E>(I)>()}...};
  }
  (std::make_integer_sequence<int, count_enumerators<E>()>());
}

/// Enumerators with dashes. Where names are others, specialise with a `static constexpr std::array<Named<E>, N> table`.
template <class E>
struct NameTable {
  static constexpr auto table = table_of_enumerators<E, true>();
};
/// As keys of JSON are spelt.
template <class E>
struct NamesAsWritten {
  static constexpr auto table = table_of_enumerators<E, false>();
};

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

/// "did you mean 'a', 'b' or 'c'?" or, when nothing is near, `otherwise` or "choose from ...".
std::string suggestion(std::string_view word, std::span<const std::string> candidates, std::string otherwise);
std::string suggestion(std::string_view word, std::span<const std::string> candidates);

}  // namespace vggplan::base
