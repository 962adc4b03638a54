// SPDX-License-Identifier: MIT
// A source file as the lint rules see it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace vggplan::lint {

struct Source {
  std::string path{};  ///< relative to the repository, with forward slashes
  std::vector<std::string> lines{};
  std::vector<std::string> code{};  ///< the lines without comments, strings and character literals
};

Source make_source(std::string path, std::string_view text);
/// Every file below `folder` of the repository that has one of the extensions, sorted by path.
std::vector<Source> read_sources(std::string_view folder, const std::vector<std::string>& extensions);
/// Whether `word` is in `text`, not as a part of a longer word.
bool has_word(std::string_view text, std::string_view word);
/// Paths named by #include, without quotes or brackets.
std::vector<std::string> includes_of(const Source& source);

}  // namespace vggplan::lint
