// SPDX-License-Identifier: MIT
// Completion: scripts of a few lines, which ask the program what may follow: vggplan __complete WORD... tells it for
// the last word. A line is a candidate and, after a tab, what it means; ":files" and ":folders" leave it to the shell.
#include <fmt/format.h>

#include <algorithm>

#include "app/help.hpp"
#include "app/output.hpp"
#include "app/run.hpp"
#include "vggplan/base/format.hpp"

namespace vggplan::app {

namespace {

using Words = std::vector<std::string>;

constexpr std::string_view kBash = R"(# bash completion for vggplan: source <(vggplan completion bash)
# shellcheck shell=bash
_vggplan() {
  mapfile -t COMPREPLY < <("${COMP_WORDS[0]}" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f 1)
  case "${COMPREPLY[0]}" in
    :files) COMPREPLY=() && compopt -o default ;;
    :folders) COMPREPLY=() && compopt -o dirnames ;;
    *=) compopt -o nospace ;;
  esac
}
complete -F _vggplan vggplan
)";

constexpr std::string_view kZsh = R"(#compdef vggplan
# zsh completion for vggplan: vggplan completion zsh > "${fpath[1]}/_vggplan"
_vggplan() {
  local line
  local -a whole=() begun=()
  for line in "${(@f)$($words[1] __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    case $line in
      :files) _files ;;
      :folders) _files -/ ;;
      *=) begun+=("$line") ;;
      ?*) whole+=("${${line//:/\\:}/$'\t'/:}") ;;
    esac
  done
  _describe vggplan whole
  compadd -S '' -a begun
}
_vggplan "$@"
)";

constexpr std::string_view kFish =
    R"(# fish completion for vggplan: vggplan completion fish > ~/.config/fish/completions/vggplan.fish
function __vggplan_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  set -l lines ($words[1] __complete $words[2..-1] "$current" 2>/dev/null)
  switch "$lines[1]"
    case ':files' ':folders'
      __fish_complete_path "$current"
    case '*'
      printf '%s\n' $lines
  end
end
complete -c vggplan -f -a '(__vggplan_complete)'
)";

/// What stands before its sign in "--flag=value".
const Flag* flag_of(const std::string& word) {
  if (word.starts_with("--")) {
    return find_flag(std::string_view(word).substr(2, word.find('=') - 2));
  }
  const auto same = [&](const Flag& flag) { return word.size() == 2 && word[0] == '-' && flag.letter == word[1]; };
  const auto found = std::find_if(flags().begin(), flags().end(), same);
  return found == flags().end() ? nullptr : &*found;
}

/// The names that go on from what is typed; where there are none, what takes a file is left to the shell.
Words matching(const Words& names, std::string_view typed, std::string_view value, const std::string& before = "") {
  Words found;
  for (const std::string& name : names) {
    if (name.starts_with(typed)) {
      found.push_back(before + name);
    }
  }
  if (found.empty() && value == "DIR") {
    return {":folders"};
  }
  const bool file = value.find("FILE") != std::string_view::npos || value.find(".json") != std::string_view::npos;
  return found.empty() && file ? Words{":files"} : found;
}

Words values_of(const Flag& flag, std::string_view typed, const std::string& before = "") {
  return matching(flag.choices == nullptr ? Words() : flag.choices(), typed, flag.value, before);
}

Words flags_like(Command command, std::string_view typed) {
  Words found;
  for (const Flag& flag : flags()) {
    if (flag.applies_to(command) && ("--" + std::string(flag.name)).starts_with(typed)) {
      found.push_back(fmt::format("--{}\t{}", flag.name, flag.help));
    }
  }
  return found;
}

/// `help` is no command of its own: `help COMMAND` is `COMMAND --help`.
Words commands_like(std::string_view typed, bool with_help) {
  Words all;
  for (const CommandInfo& row : commands()) {
    all.push_back(fmt::format("{}\t{}", base::name_of_enum(row.command), row.help));
  }
  if (with_help) {
    all.emplace_back("help\tthe help of a command");
  }
  return matching(all, typed, "");
}

Words candidates(Words words) {
  if (words.empty()) {
    return {};
  }
  // Readline parts --flag=value at the sign.
  const bool at_sign = words.back() == "=";
  std::erase(words, "=");
  const std::string current = at_sign ? "" : words.back();
  words.resize(words.size() - (at_sign ? 0 : 1));
  const Flag* const before = words.empty() ? nullptr : flag_of(words.back());
  if (before != nullptr && before->takes_value() && words.back().find('=') == std::string::npos) {
    return values_of(*before, current);
  }
  if (const std::size_t sign = current.find('='); sign != std::string::npos && current.starts_with("--")) {
    const Flag* const flag = flag_of(current);
    return flag == nullptr ? Words() : values_of(*flag, current.substr(sign + 1), current.substr(0, sign + 1));
  }
  const bool named = !words.empty() && !words.front().starts_with('-');
  const auto command = named ? base::parse_enum<Command>(words.front()) : Command::plan;
  if (current.starts_with('-') || !command) {
    return command ? flags_like(*command, current) : commands_like(current, false);
  }
  if (words.empty()) {
    return commands_like(current, true);
  }
  const CommandInfo& about = info(*command);
  return matching(about.names == nullptr ? Words() : about.names(), current, about.positional);
}

}  // namespace

std::string completed(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& line : candidates(words)) {
    text += line + "\n";
  }
  return text;
}

base::Result<int> run_completion(const Request& request, World& world) {
  const std::string& shell = request.positionals.front();
  const std::string_view script = shell == "bash" ? kBash : shell == "zsh" ? kZsh : shell == "fish" ? kFish : "";
  if (script.empty()) {
    return base::wrong("completion", fmt::format("{} is not a shell that it is made for", base::quoted(shell)),
                       base::suggestion(shell, known_shells()));
  }
  TRY(emit(script, request.options, world));
  return kYes;
}

}  // namespace vggplan::app
