// SPDX-License-Identifier: MIT
#include "launch/fill.hpp"

#include <algorithm>

namespace vggplan::launch {

namespace {

bool is_name(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return (c >= 'A' && c <= 'Z') || c == '_'; });
}

std::string indented(std::string_view text, std::size_t columns) {
  std::string result;
  for (const char c : text) {
    result += c;
    result += c == '\n' ? std::string(columns, ' ') : "";
  }
  return result;
}

/// The line filled, or nothing where it does not apply.
std::optional<std::string> filled_line(std::string_view line, const Values& values) {
  const std::size_t indent = std::min(line.find_first_not_of(' '), line.size());
  std::string result;
  while (!line.empty()) {
    const std::size_t start = std::min(line.find('@'), line.size());
    const std::size_t end = line.find('@', std::min(start + 1, line.size()));
    const bool closed = start < line.size() && end != std::string_view::npos;
    const std::string_view name = closed ? line.substr(start + 1, end - start - 1) : std::string_view();
    if (!is_name(name)) {
      const std::size_t taken = std::min(start + 1, line.size());
      result += line.substr(0, taken);
      line.remove_prefix(taken);
      continue;
    }
    const std::optional<std::string>& value = values.at(std::string(name));
    if (!value) {
      return std::nullopt;
    }
    result += line.substr(0, start);
    result += indented(*value, indent);
    line.remove_prefix(end + 1);
  }
  return result;
}

}  // namespace

std::string fill(std::string_view text, const Values& values) {
  std::string result;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (const std::optional<std::string> line = filled_line(text.substr(0, end), values)) {
      result += *line;
      result += '\n';
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return result;
}

}  // namespace vggplan::launch
