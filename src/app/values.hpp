// SPDX-License-Identifier: MIT
// Texts to values, with errors that name the place, the rule and the remedy.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "app/options.hpp"
#include "vggplan/base/format.hpp"
#include "vggplan/base/names.hpp"
#include "vggplan/base/result.hpp"

namespace vggplan::app {

struct Range {
  std::int64_t least{};
  std::int64_t most{};
};

base::Result<std::int64_t> parse_whole(std::string_view text, std::string_view place, Range range);
base::Result<double> parse_amount(std::string_view text, std::string_view place);  ///< from 0 to 10^12
base::Result<bool> parse_switch(std::string_view text, std::string_view place);
base::Result<planner::Reserve> parse_reserve(std::string_view text, std::string_view place);
base::Result<Export> parse_export(std::string_view text, std::string_view place);
base::Result<std::pair<std::string, base::Usd>> parse_price(std::string_view text, std::string_view place);
base::Result<Axis> parse_axis(std::string_view text, std::string_view place);
/// "HxW", or one number for both.
base::Result<std::pair<std::string, std::string>> split_size(std::string_view text, std::string_view place);

/// The parts of --size: one, or a list in the words of sweeps, "224,320x480" or "224:512:32". As they are written.
base::Result<std::vector<std::string>> split_sizes(std::string_view text, std::string_view place);

template <class E>
base::Result<E> parse_choice(std::string_view text, std::string_view place) {
  if (const std::optional<E> value = base::parse_enum<E>(text)) {
    return *value;
  }
  const std::vector<std::string> names = base::enum_names<E>();
  return base::wrong(place, fmt::format("takes one of {}, not {}", fmt::join(names, ", "), base::quoted(text)),
                     base::suggestion(text, names, ""));
}

/// An error about a file that a flag names: one that cannot be read is told with the flag and what it takes.
base::Diagnostic named_file(base::Diagnostic error, std::string_view place, std::string_view remedy);
template <class T>
base::Result<T> named_file(base::Result<T> read, std::string_view place, std::string_view remedy) {
  return read ? std::move(read) : named_file(read.error(), place, remedy);
}

/// Stores a value that was parsed, or passes the error on.
template <class T, class U>
base::Status put(T& target, base::Result<U> value) {
  target = static_cast<T>(TRY(std::move(value)));
  return std::nullopt;
}

}  // namespace vggplan::app
