// SPDX-License-Identifier: MIT
#include "docs/commands.hpp"

#include <algorithm>
#include <sstream>

#include "support/files.hpp"

namespace vggplan::test {

namespace {

constexpr std::string_view kProgram = "vggplan";
constexpr std::string_view kOutputOf = "<!-- output of: ";

std::string trimmed(std::string_view text) {
  const std::size_t start = text.find_first_not_of(" -");
  const std::size_t end = text.find_last_not_of(' ');
  return start == std::string_view::npos ? "" : std::string(text.substr(start, end + 1 - start));
}

/// What is behind the program's name, where the line is a command of ours.
std::vector<std::string> arguments_of(std::string_view line) {
  const std::string text = trimmed(line.substr(line.starts_with("$ ") ? 2 : 0));
  for (const std::string_view program : {kProgram, std::string_view("scripts/run")}) {
    if (!text.starts_with(std::string(program) + " ") && text != program) {
      continue;
    }
    std::string rest = text.substr(program.size());
    for (const char* end : {"  ", " #", " |", " >", " ||"}) {
      rest = rest.substr(0, rest.find(end, 1));
    }
    return {trimmed(" " + rest).empty() ? "" : rest.substr(rest.find_first_not_of(' '))};
  }
  return {};
}

void append(std::vector<std::string>& to, std::vector<std::string> from) {
  to.insert(to.end(), from.begin(), from.end());
}

/// Whether a word stands for something that the reader puts in: NAME, REPORT.json, "...".
bool has_placeholder(const std::string& command) {
  std::istringstream words(command);
  for (std::string word; words >> word;) {
    const std::string stem = word.substr(0, word.find('.'));
    const bool capitals = stem.size() > 1 && std::ranges::all_of(stem, [](char c) { return c >= 'A' && c <= 'Z'; });
    if (capitals || word.find("...") != std::string::npos) {
      return true;
    }
  }
  return false;
}

std::vector<std::string> commands_in_sentence(std::string_view line) {
  std::vector<std::string> commands;
  for (std::size_t at = line.find('`'); at != std::string_view::npos; at = line.find('`', at)) {
    const std::size_t end = line.find('`', at + 1);
    if (end == std::string_view::npos) {
      break;
    }
    const std::string code(line.substr(at + 1, end - at - 1));
    if (code.find(' ') != std::string::npos && !has_placeholder(code)) {
      // "vggplan calibrate" in a sentence names a command and does not show how it is used.
      const bool named = std::count(code.begin(), code.end(), ' ') == 1;
      append(commands, arguments_of(named ? code + " --help" : code));
    }
    at = end + 1;
  }
  return commands;
}

enum class Place { sentence, code, other };

/// Each line of a document in Markdown with where it stands.
template <class Visit>
void walk(std::string_view document, Visit visit) {
  bool fenced = false;
  bool shell = false;
  for (const std::string& line : lines_of(document)) {
    if (line.starts_with("```")) {
      fenced = !fenced;
      shell = line == "```" || line == "```sh" || line == "```console";
      continue;
    }
    const bool indented = !fenced && line.starts_with("    ");
    visit(line, fenced ? (shell ? Place::code : Place::other) : indented ? Place::code : Place::sentence);
  }
}

}  // namespace

std::vector<std::string> commands_in(std::string_view document, bool markdown) {
  std::vector<std::string> commands;
  if (!markdown) {
    for (const std::string& line : lines_of(document)) {
      append(commands, arguments_of(line));
    }
    return commands;
  }
  walk(document, [&](const std::string& line, Place place) {
    if (place == Place::code) {
      append(commands, arguments_of(line));
    } else if (place == Place::sentence) {
      append(commands, commands_in_sentence(line));
    }
  });
  return commands;
}

std::vector<std::string> scripts_in(std::string_view document) {
  std::vector<std::string> scripts;
  walk(document, [&](const std::string& line, Place place) {
    std::istringstream words(line);
    for (std::string word; place == Place::code && words >> word;) {
      if (word.starts_with("scripts/") || word.starts_with(".ci/")) {
        scripts.push_back(word);
      }
    }
  });
  return scripts;
}

std::vector<ShownOutput> outputs_in(std::string_view document) {
  std::vector<ShownOutput> outputs;
  for (std::size_t at = document.find(kOutputOf); at != std::string_view::npos; at = document.find(kOutputOf, at)) {
    const std::size_t command = at + kOutputOf.size();
    const std::size_t start = document.find("```", command);
    const std::size_t text = document.find('\n', start) + 1;
    const std::vector<std::string> arguments =
        arguments_of(document.substr(command, document.find(" -->", command) - command));
    at = document.find("```", text);
    outputs.push_back(
        {arguments.empty() ? "no command of ours" : arguments.front(), std::string(document.substr(text, at - text))});
  }
  return outputs;
}

std::string with_output(std::string_view document, std::size_t n, std::string_view text) {
  std::size_t at = document.find(kOutputOf);
  for (; n > 0; --n) {
    at = document.find(kOutputOf, at + 1);
  }
  const std::size_t start = document.find('\n', document.find("```", at)) + 1;
  const std::size_t end = document.find("```", start);
  return std::string(document.substr(0, start)) + std::string(text) + std::string(document.substr(end));
}

}  // namespace vggplan::test
