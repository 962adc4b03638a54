// SPDX-License-Identifier: MIT
#include "source.hpp"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <iterator>
#include <sstream>

namespace vggplan::lint {
namespace {

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

/// Blanks what is not code; line breaks stay, so that line numbers hold.
class Stripper {
 public:
  explicit Stripper(std::string_view text) : text_(text) {}

  std::string strip() {
    while (at_ < text_.size()) {
      if (starts("//")) {
        blank_until("\n", false);
      } else if (starts("/*")) {
        blank_until("*/", true);
      } else if (starts("R\"") && (at_ == 0 || !is_word(text_[at_ - 1]))) {
        const std::size_t open = text_.find('(', at_);
        const std::string delimiter(text_.substr(at_ + 2, open - at_ - 2));
        blank_until(")" + delimiter + "\"", true);
      } else if (text_[at_] == '"' || is_character_literal()) {
        blank_literal(text_[at_]);
      } else {
        code_ += text_[at_++];
      }
    }
    return std::move(code_);
  }

 private:
  [[nodiscard]] bool starts(std::string_view token) const { return text_.substr(at_).starts_with(token); }

  /// An apostrophe between digits separates them.
  [[nodiscard]] bool is_character_literal() const {
    return text_[at_] == '\'' && (at_ == 0 || !is_word(text_[at_ - 1]));
  }

  void blank_until(std::string_view end, bool include_end) {
    const std::size_t found = text_.find(end, at_ + 1);
    const std::size_t stop = found == std::string_view::npos ? text_.size() : found + (include_end ? end.size() : 0);
    for (; at_ < stop; ++at_) {
      code_ += text_[at_] == '\n' ? '\n' : ' ';
    }
  }

  void blank_literal(char quote) {
    code_ += quote;
    for (++at_; at_ < text_.size() && text_[at_] != quote && text_[at_] != '\n'; ++at_) {
      at_ += text_[at_] == '\\' ? 1U : 0U;
    }
    code_ += quote;
    ++at_;
  }

  std::string_view text_;
  std::size_t at_{};
  std::string code_;
};

std::vector<std::string> split_lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(line);
  }
  return lines;
}

}  // namespace

Source make_source(std::string path, std::string_view text) {
  return {std::move(path), split_lines(std::string(text)), split_lines(Stripper(text).strip())};
}

std::vector<Source> read_sources(std::string_view folder, const std::vector<std::string>& extensions) {
  const std::filesystem::path root = VGGPLAN_SOURCE_DIR;
  std::vector<Source> sources;
  if (!std::filesystem::exists(root / folder)) {
    return sources;
  }
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
    const std::string extension = entry.path().extension().string();
    if (entry.is_regular_file() && std::find(extensions.begin(), extensions.end(), extension) != extensions.end()) {
      std::ifstream file(entry.path(), std::ios::binary);
      const std::string text{std::istreambuf_iterator<char>(file), {}};
      sources.push_back(make_source(std::filesystem::relative(entry.path(), root).generic_string(), text));
    }
  }
  std::sort(sources.begin(), sources.end(), [](const Source& a, const Source& b) { return a.path < b.path; });
  return sources;
}

bool has_word(std::string_view text, std::string_view word) {
  for (std::size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    const bool starts = at == 0 || !is_word(text[at - 1]);
    const bool ends = at + word.size() == text.size() || !is_word(text[at + word.size()]);
    if (starts && ends) {
      return true;
    }
  }
  return false;
}

std::vector<std::string> includes_of(const Source& source) {
  std::vector<std::string> includes;
  for (const std::string& line : source.lines) {
    if (line.starts_with("#include")) {
      const std::size_t open = line.find_first_of("<\"");
      const std::size_t close = line.find_first_of(">\"", open + 1);
      includes.push_back(line.substr(open + 1, close - open - 1));
    }
  }
  return includes;
}

}  // namespace vggplan::lint
