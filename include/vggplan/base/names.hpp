// SPDX-License-Identifier: MIT
// Enums are parsed at the edge by one table each, which also feeds help text, hints and schemas.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
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
