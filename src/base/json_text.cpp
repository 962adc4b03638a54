// SPDX-License-Identifier: MIT
#include "vggplan/base/json_text.hpp"

#include <fmt/format.h>

namespace vggplan::base {

namespace {

/// The end of the string that opens at `at`: behind its closing quote, or the end of the text.
std::size_t behind_string(std::string_view text, std::size_t at) {
  for (++at; at < text.size() && text[at] != '"'; ++at) {
    at += text[at] == '\\' ? 1U : 0U;
  }
  return at + 1;
}

}  // namespace

Status check_json_text(std::string_view text, std::string_view place, std::size_t line) {
  const auto refused = [&](std::size_t at, std::string rule, std::string remedy) {
    return wrong(fmt::format("{}:{}", place, text_position(text, at + 1, line)), std::move(rule), std::move(remedy));
  };
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
    return refused(nul, "holds a NUL byte: it is no text", "name a text file");
  }
  std::vector<std::size_t> parts;  // of each list and object that is open
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '"') {
      at = behind_string(text, at);
      continue;
    }
    if (c == '[' || c == '{') {
      parts.push_back(0);
    } else if ((c == ']' || c == '}') && !parts.empty()) {
      parts.pop_back();
    } else if (c == ':' && !parts.empty() && ++parts.back() > kMostKeys) {
      return refused(at, fmt::format("has more than {} keys in one object", format_count(kMostKeys)),
                     "no file of ours has as many");
    }
    if (parts.size() > kDeepestNesting) {
      return refused(at, fmt::format("nests deeper than {} levels", kDeepestNesting), "no file of ours does");
    }
    ++at;
  }
  return std::nullopt;
}

}  // namespace vggplan::base
