// SPDX-License-Identifier: MIT
// Scripts for three shells, each from the tables of commands and flags.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "app/help.hpp"
#include "vggplan/base/format.hpp"

namespace vggplan::app {

namespace {

std::string command_words() { return fmt::format("{}", fmt::join(base::enum_names<Command>(), " ")); }
constexpr std::string_view kHelp = "help";  // not a command of its own: `help COMMAND` is `COMMAND --help`

bool takes_file(const Flag& flag) { return flag.value.find("FILE") != std::string_view::npos; }
bool takes_folder(const Flag& flag) { return flag.value == "DIR"; }

std::string words_of(std::vector<std::string> (*names)()) { return fmt::format("{}", fmt::join(names(), " ")); }

/// Whether what completes the flag is the beginning of its value: no space follows.
bool goes_on(const Flag& flag) { return flag.choices != nullptr && flag.choices().front().ends_with('='); }

/// "--format|-f"
std::string spellings(const Flag& flag) {
  return fmt::format("--{}", flag.name) + (flag.letter == 0 ? "" : fmt::format("|-{}", flag.letter));
}

std::string flag_words(Command command) {
  std::string words;
  for (const Flag& flag : flags()) {
    if (flag.applies_to(command)) {
      words += fmt::format("{}--{}", words.empty() ? "" : " ", flag.name);
    }
  }
  return words;
}

/// What follows a flag that takes a value.
std::string bash_values() {
  std::string rows;
  for (const Flag& flag : flags()) {
    if (!flag.takes_value()) {
      continue;
    }
    const std::string words = flag.choices != nullptr ? fmt::format("-W '{}'", words_of(flag.choices))
                              : takes_file(flag)      ? "-f"
                              : takes_folder(flag)    ? "-d"
                                                      : "";
    const std::string reply = words.empty() ? "" : fmt::format("COMPREPLY=($(compgen {} -- \"$current\")); ", words);
    rows += fmt::format("    {}) {}{}return ;;\n", spellings(flag), reply, goes_on(flag) ? "compopt -o nospace; " : "");
  }
  return rows;
}

std::string bash() {
  std::string script =
      "# bash completion for vggplan: source <(vggplan completion bash)\n"
      "# shellcheck shell=bash disable=SC2207\n"
      "_vggplan() {\n"
      "  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} command=plan flags words\n"
      "  # Readline parts --flag=value at the sign.\n"
      "  if [ \"$current\" = = ]; then\n"
      "    current=\n"
      "  elif [ \"$previous\" = = ]; then\n"
      "    previous=${COMP_WORDS[COMP_CWORD-2]}\n"
      "  fi\n"
      "  case \"${COMP_WORDS[1]}\" in\n"
      "    -*) ;;\n"
      "    *) [ \"$COMP_CWORD\" -gt 1 ] && command=${COMP_WORDS[1]} ;;\n"
      "  esac\n"
      "  case \"$previous\" in\n" +
      bash_values() + "  esac\n  case \"$command\" in\n";
  for (const auto& row : base::NameTable<Command>::table) {
    const auto names = info(row.value).names;
    script += fmt::format("    {}) flags='{}'{} ;;\n", row.name, flag_words(row.value),
                          names == nullptr ? "" : fmt::format(" words='{}'", words_of(names)));
  }
  script += fmt::format(
      "    {1}) words='{0}' ;;\n"
      "  esac\n"
      "  [ \"$COMP_CWORD\" -eq 1 ] && words='{0} {1}'\n"
      "  case \"$current\" in\n"
      "    -*) COMPREPLY=($(compgen -W \"$flags\" -- \"$current\")) ;;\n"
      "    *) COMPREPLY=($(compgen -W \"$words\" -- \"$current\")) ;;\n"
      "  esac\n"
      "  [ -z \"$words\" ] && [ ${{#COMPREPLY[@]}} -eq 0 ] && COMPREPLY=($(compgen -f -- \"$current\"))\n"
      "}}\n"
      "complete -F _vggplan vggplan\n",
      command_words(), kHelp);
  return script;
}

/// Text inside single quotes of a shell.
std::string in_shell_quotes(std::string_view text) {
  std::string quoted;
  for (const char c : text) {
    quoted += c == '\'' ? "'\\''" : std::string(1, c);
  }
  return quoted;
}

/// What _arguments would read as markup.
std::string in_zsh_spec(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    escaped += c == '[' || c == ']' || c == ':' || c == '\\' ? std::string{'\\', c} : std::string(1, c);
  }
  return in_shell_quotes(escaped);
}

/// One quoted argument of _arguments for each spelling of a flag.
std::string zsh_specs(const Flag& flag) {
  std::string about = fmt::format("[{}]", in_zsh_spec(flag.help));
  if (flag.takes_value()) {
    const std::string values = goes_on(flag)             ? fmt::format("compadd -S \"\" - {}", words_of(flag.choices))
                               : flag.choices != nullptr ? fmt::format("({})", words_of(flag.choices))
                               : takes_file(flag)        ? "_files"
                               : takes_folder(flag)      ? "_files -/"
                                                         : "";
    about += fmt::format(":{}:{}", in_zsh_spec(flag.value), values);
  }
  const std::string_view star = flag.repeatable ? "*" : "";
  std::string specs = fmt::format(" \\\n        '{}--{}{}{}'", star, flag.name, flag.takes_value() ? "=" : "", about);
  if (flag.letter != 0) {
    specs += fmt::format(" \\\n        '{}-{}{}{}'", star, flag.letter, flag.takes_value() ? "+" : "", about);
  }
  return specs;
}

std::string zsh() {
  std::string script =
      "#compdef vggplan\n"
      "# zsh completion for vggplan: vggplan completion zsh > \"${fpath[1]}/_vggplan\"\n"
      "_vggplan() {\n"
      "  local command=plan\n"
      "  local -a commands=(\n";
  for (const auto& row : base::NameTable<Command>::table) {
    script += fmt::format("    '{}:{}'\n", row.name, in_shell_quotes(row.help));
  }
  script += fmt::format("    '{}:the help of a command'\n", kHelp);
  script +=
      "  )\n"
      "  if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then\n"
      "    _describe command commands\n"
      "    return\n"
      "  fi\n"
      "  if [[ $words[2] != -* ]]; then\n"
      "    command=$words[2]\n"
      "    shift words\n"
      "    (( CURRENT-- ))\n"
      "  fi\n"
      "  case $command in\n";
  script += fmt::format("    {})\n      _arguments '1:command:({})'\n      ;;\n", kHelp, command_words());
  for (const auto& row : base::NameTable<Command>::table) {
    script += fmt::format("    {})\n      _arguments", row.name);
    for (const Flag& flag : flags()) {
      script += flag.applies_to(row.value) ? zsh_specs(flag) : "";
    }
    const CommandInfo& command = info(row.value);
    script += command.names != nullptr ? fmt::format(" \\\n        '1:name:({})'", words_of(command.names))
              : command.most > 0       ? " \\\n        '*:file:_files'"
                                       : "";
    script += "\n      ;;\n";
  }
  return script + "  esac\n}\n_vggplan \"$@\"\n";
}

std::string fish_flag(const Flag& flag) {
  const std::string seen = " " + command_list(flag, " ");
  const std::string none = flag.applies_to(Command::plan) ? "not __fish_seen_subcommand_from $commands; or " : "";
  return fmt::format("complete -c vggplan -n \"{}__fish_seen_subcommand_from{}\" -l {}{} -d '{}'{}\n", none, seen,
                     flag.name, flag.letter == 0 ? "" : fmt::format(" -s {}", flag.letter), in_shell_quotes(flag.help),
                     flag.choices != nullptr                  ? fmt::format(" -x -a '{}'", words_of(flag.choices))
                     : takes_file(flag) || takes_folder(flag) ? " -r -F"
                     : flag.takes_value()                     ? " -x"
                                                              : "");
}

std::string fish() {
  std::string script =
      "# fish completion for vggplan: vggplan completion fish > ~/.config/fish/completions/vggplan.fish\n"
      "set -l commands " +
      command_words() + "\ncomplete -c vggplan -f\n" +
      fmt::format("complete -c vggplan -n \"not __fish_seen_subcommand_from $commands {0}\" -a {0} -d '{1}'\n", kHelp,
                  "the help of a command");
  for (const auto& row : base::NameTable<Command>::table) {
    script += fmt::format("complete -c vggplan -n \"not __fish_seen_subcommand_from $commands\" -a {} -d '{}'\n",
                          row.name, in_shell_quotes(row.help));
    const CommandInfo& command = info(row.value);
    if (command.most > 0) {
      script += fmt::format("complete -c vggplan -n '__fish_seen_subcommand_from {}' {}\n", row.name,
                            command.names == nullptr ? "-F" : fmt::format("-a '{}'", words_of(command.names)));
    }
  }
  for (const Flag& flag : flags()) {
    script += fish_flag(flag);
  }
  return script;
}

}  // namespace

base::Result<std::string> completion(const std::string& shell) {
  if (shell == "bash") {
    return bash();
  }
  if (shell == "zsh") {
    return zsh();
  }
  if (shell == "fish") {
    return fish();
  }
  return base::wrong("completion", fmt::format("{} is not a shell that it is made for", base::quoted(shell)),
                     base::suggestion(shell, known_shells()));
}

}  // namespace vggplan::app
