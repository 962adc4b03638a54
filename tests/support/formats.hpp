// SPDX-License-Identifier: MIT
// The figures that a report shows, format by format.
#pragma once

#include <algorithm>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace vggplan::support {

inline void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

/// Words that hold a digit, less the marks around them: "27.50", "+47.5", "amp-bf16".
inline std::vector<std::string> figures(const std::string& text) {
  std::vector<std::string> found;
  std::istringstream stream(text);
  for (std::string word; stream >> word;) {
    word.erase(0, word.find_first_not_of("(|!\"'`*"));
    word.erase(word.find_last_not_of("),.:;|!\"'`*") + 1);
    if (word.find_first_of("0123456789") != std::string::npos) {
      found.push_back(word);
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

inline std::string plain_markdown(std::string text) {
  for (const auto& [from, to] : {std::pair("&#8203;", ""), {"&lt;", "<"}, {"&amp;", "&"}, {"|", " "}, {"\\", ""}}) {
    replace_all(text, from, to);
  }
  return text;
}

/// The text of a page: without scripts, style and tags.
inline std::string plain_html(const std::string& page) {
  const std::size_t start = page.find("<main>");
  std::string text;
  bool tag = false;
  for (const char c : page.substr(start, page.find("</main>") - start)) {
    tag = c == '<' || (tag && c != '>');
    text += tag || c == '>' ? ' ' : c;
  }
  for (const auto& [from, to] :
       {std::pair("&lt;", "<"), {"&gt;", ">"}, {"&quot;", "\""}, {"&#39;", "'"}, {"&amp;", "&"}}) {
    replace_all(text, from, to);
  }
  return text;
}

/// What `text` has and `other` lacks.
inline std::vector<std::string> lacking(const std::string& text, const std::string& other) {
  const std::vector<std::string> wanted = figures(text);
  const std::vector<std::string> there = figures(other);
  std::vector<std::string> missing;
  std::copy_if(wanted.begin(), wanted.end(), std::back_inserter(missing),
               [&](const std::string& word) { return !std::binary_search(there.begin(), there.end(), word); });
  return missing;
}

}  // namespace vggplan::support
