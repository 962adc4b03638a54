// SPDX-License-Identifier: MIT
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>

#include "app/settings.hpp"
#include "vggplan/base/format.hpp"

namespace vggplan::app {

namespace {

/// A scalar as it would be written behind a flag; none for what no flag takes.
std::optional<std::string> scalar_text(const toml::node& node) {
  if (const auto* text = node.as_string()) {
    return text->get();
  }
  if (const auto* whole = node.as_integer()) {
    return fmt::format("{}", whole->get());
  }
  if (const auto* number = node.as_floating_point()) {
    return fmt::format("{}", number->get());
  }
  if (const auto* truth = node.as_boolean()) {
    return truth->get() ? "true" : "false";
  }
  return std::nullopt;
}

/// One or more values of a flag: a scalar, a list of them, or a table of NAME = VALUE.
std::optional<std::vector<std::string>> values_of(const toml::node& node, const Flag& flag) {
  std::vector<std::string> values;
  if (const auto* list = node.as_array()) {
    for (const toml::node& item : *list) {
      const std::optional<std::string> text = scalar_text(item);
      if (!text) {
        return std::nullopt;
      }
      values.push_back(*text);
    }
    if (!flag.repeatable) {
      // Lists of one flag are joined by commas, as on the command line: gpus = ["a100x4", "h100x4"].
      std::string joined;
      for (const std::string& value : values) {
        joined += (joined.empty() ? "" : ",") + value;
      }
      values = {joined};
    }
    return values;
  }
  const toml::table* table = node.as_table();
  if (table != nullptr && flag.repeatable) {
    for (const auto& [key, value] : *table) {
      const std::optional<std::string> text = scalar_text(value);
      if (!text) {
        return std::nullopt;
      }
      values.push_back(fmt::format("{}={}", key.str(), *text));
    }
    return values;
  }
  const std::optional<std::string> text = scalar_text(node);
  return text ? std::optional(std::vector{*text}) : std::nullopt;
}

report::Document as_json(const toml::node& node) {
  if (const auto* table = node.as_table()) {
    report::Document object = report::Document::object();
    for (const auto& [key, value] : *table) {
      object[std::string(key.str())] = as_json(value);
    }
    return object;
  }
  if (const auto* list = node.as_array()) {
    report::Document array = report::Document::array();
    for (const toml::node& item : *list) {
      array.push_back(as_json(item));
    }
    return array;
  }
  if (const auto* whole = node.as_integer()) {
    return whole->get();
  }
  if (const auto* number = node.as_floating_point()) {
    return number->get();
  }
  if (const auto* truth = node.as_boolean()) {
    return truth->get();
  }
  const auto* text = node.as_string();
  return text == nullptr ? report::Document() : report::Document(text->get());
}

base::Diagnostic not_toml(const toml::parse_error& error, const std::string& path) {
  return base::wrong(fmt::format("{}:{}", path, error.source().begin.line),
                     fmt::format("is not TOML: {}", error.description()), "");
}

base::Diagnostic unknown_key(std::string_view key, const std::string& place) {
  std::vector<std::string> known;
  for (const Flag& flag : flags()) {
    if (flag.configurable) {
      known.emplace_back(flag.name);
    }
  }
  const std::vector<std::string> near = base::nearest(base::with_dashes(key), known);
  return base::wrong(place, fmt::format("{} is not a setting", base::quoted(key)),
                     near.empty() ? "settings are named like flags; see vggplan --help"
                                  : base::suggestion(base::with_dashes(key), known));
}

}  // namespace

base::Result<report::Document> parse_toml(std::string_view text, const std::string& path) {
  const toml::parse_result parsed = toml::parse(text, path);
  if (!parsed) {
    return not_toml(parsed.error(), path);
  }
  return as_json(parsed.table());
}

base::Result<std::vector<Setting>> parse_config(std::string_view text, const std::string& path, Origin origin) {
  const toml::parse_result parsed = toml::parse(text, path);
  if (!parsed) {
    return not_toml(parsed.error(), path);
  }
  std::vector<Setting> settings;
  for (const auto& [key, node] : parsed.table()) {
    const std::string source = fmt::format("{}:{}", path, key.source().begin.line);
    const Flag* flag = find_flag(base::with_dashes(key.str()));
    if (flag == nullptr || !flag->configurable) {
      return unknown_key(key.str(), source);
    }
    const std::string place = fmt::format("{}: {}", source, key.str());
    const std::optional<std::vector<std::string>> values = values_of(node, *flag);
    if (!values) {
      return base::wrong(place, "takes a plain value", "write a number, a string, true or false");
    }
    for (const std::string& value : *values) {
      // The system would read a path up to there.
      if (value.find('\0') != std::string::npos) {
        return base::wrong(place, "holds a NUL character", "leave it out");
      }
      settings.push_back({flag, value, place, source, origin});
    }
  }
  return settings;
}

}  // namespace vggplan::app
