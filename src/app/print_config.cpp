// SPDX-License-Identifier: MIT
// --print-config: what holds, and who said so.
#include <fmt/format.h>

#include "app/settings.hpp"
#include "vggplan/base/format.hpp"
#include "vggplan/render/render.hpp"

namespace vggplan::app {

namespace {

/// A whole number as TOML writes it: without leading zeros, and within 64 bits.
bool is_number(std::string_view text) {
  constexpr std::size_t kMostDigits = 18;
  return !text.empty() && text.size() <= kMostDigits && (text.front() != '0' || text == "0") &&
         text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// The flags of a command that set something.
std::vector<const Flag*> settable(Command command) {
  std::vector<const Flag*> result;
  for (const Flag& flag : flags()) {
    if (flag.configurable && flag.store != nullptr && flag.applies_to(command)) {
      result.push_back(&flag);
    }
  }
  return result;
}

std::string toml_value(const Flag& flag, const std::string& value) {
  const bool bare = is_number(value) || (!flag.takes_value() && (value == "true" || value == "false"));
  if (bare) {
    return value;
  }
  std::string quoted = "\"";
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    quoted += c == '"' || c == '\\'         ? std::string{'\\', c}
              : byte < 0x20 || byte == 0x7f ? fmt::format("\\u{:04x}", byte)
                                            : std::string(1, c);
  }
  return quoted + "\"";
}

}  // namespace

std::string print_config(const Settled& settled, Command command) {
  std::string text;
  for (const Flag* flag : settable(command)) {
    const auto found = settled.find(flag->name);
    if (found == settled.end()) {
      const std::string fallback = flag->takes_value() ? fallback_words(*flag, command) : "false";
      text += fallback.empty()      ? fmt::format("# {} is not set\n", flag->name)
              : fallback == kChosen ? fmt::format("# {} is chosen by the plan\n", flag->name)
                                    : fmt::format("# {} = {}  # default\n", flag->name, fallback);
      continue;
    }
    std::string values;
    for (const Setting& setting : found->second) {
      values += (values.empty() ? "" : ", ") + toml_value(*flag, setting.value);
    }
    // A file that is found may not hold it; a line to copy from says what holds.
    text += fmt::format("{}{} = {}  # {}\n", needs_a_named_origin(*flag) ? "# " : "", flag->name,
                        flag->repeatable ? "[" + values + "]" : values, base::printable(found->second.front().source));
  }
  return text;
}

std::string config_json(const Settled& settled, Command command) {
  report::Document config = report::Document::object();
  for (const Flag* flag : settable(command)) {
    const auto found = settled.find(flag->name);
    const std::string fallback = flag->takes_value() ? fallback_words(*flag, command) : "false";
    if (found == settled.end() && (fallback.empty() || fallback == kChosen)) {
      continue;
    }
    report::Document& entry = config[std::string(flag->name)];
    if (found == settled.end()) {
      entry = {{"value", fallback}, {"source", "default"}};
      continue;
    }
    report::Document values = report::Document::array();
    for (const Setting& setting : found->second) {
      values.push_back(setting.value);
    }
    entry = {{"value", flag->repeatable ? values : values.front()}, {"source", found->second.front().source}};
  }
  return render::json(config);
}

}  // namespace vggplan::app
