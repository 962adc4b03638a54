// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "app/help.hpp"
#include "vggplan/base/format.hpp"

namespace vggplan::app {

namespace {

std::string flag_words(Command command) {
  std::string words;
  for (const Flag& flag : flags()) {
    if (flag.applies_to(command)) {
      words += fmt::format("{}--{}", words.empty() ? "" : " ", flag.name);
    }
  }
  return words;
}

std::string command_words() { return fmt::format("{}", fmt::join(base::enum_names<Command>(), " ")); }

/// Flags whose value is one of a list, with the list.
std::vector<std::pair<std::string, std::string>> choices() {
  std::vector<std::pair<std::string, std::string>> rows;
  for (const Flag& flag : flags()) {
    if (flag.choices != nullptr) {
      rows.emplace_back(flag.name, fmt::format("{}", fmt::join(flag.choices(), " ")));
    }
  }
  return rows;
}

bool takes_file(const Flag& flag) { return flag.value.find("FILE") != std::string_view::npos; }

std::string bash() {
  std::string script =
      "# bash completion for vggplan: source <(vggplan completion bash)\n"
      "_vggplan() {\n"
      "  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} command=plan words\n"
      "  case \"${COMP_WORDS[1]}\" in\n"
      "    -*) ;;\n"
      "    *) [ \"$COMP_CWORD\" -gt 1 ] && command=${COMP_WORDS[1]} ;;\n"
      "  esac\n"
      "  case \"$previous\" in\n";
  for (const auto& [name, words] : choices()) {
    script += fmt::format("    --{}) COMPREPLY=($(compgen -W '{}' -- \"$current\")); return ;;\n", name, words);
  }
  for (const Flag& flag : flags()) {
    if (takes_file(flag) && flag.choices == nullptr) {
      script += fmt::format("    --{}) COMPREPLY=($(compgen -f -- \"$current\")); return ;;\n", flag.name);
    }
  }
  script += "  esac\n  case \"$command\" in\n";
  for (const auto& row : base::NameTable<Command>::table) {
    script += fmt::format("    {}) words='{}' ;;\n", row.name, flag_words(row.value));
  }
  script += fmt::format(
      "  esac\n"
      "  [ \"$COMP_CWORD\" -eq 1 ] && words=\"$words {}\"\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
      "  [ ${{#COMPREPLY[@]}} -eq 0 ] && COMPREPLY=($(compgen -f -- \"$current\"))\n"
      "}}\n"
      "complete -F _vggplan vggplan\n",
      command_words());
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

std::string zsh_spec(const Flag& flag) {
  std::string spec = fmt::format("{}--{}{}[{}]", flag.repeatable ? "*" : "", flag.name, flag.takes_value() ? "=" : "",
                                 in_zsh_spec(flag.help));
  if (!flag.takes_value()) {
    return spec;
  }
  const std::string values = flag.choices != nullptr ? fmt::format("({})", fmt::join(flag.choices(), " "))
                             : takes_file(flag)      ? "_files"
                                                     : "";
  return spec + fmt::format(":{}:{}", in_zsh_spec(flag.value), values);
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
  for (const auto& row : base::NameTable<Command>::table) {
    script += fmt::format("    {})\n      _arguments \\\n", row.name);
    for (const Flag& flag : flags()) {
      if (flag.applies_to(row.value)) {
        script += fmt::format("        '{}' \\\n", zsh_spec(flag));
      }
    }
    script += "        '*:file:_files'\n      ;;\n";
  }
  return script + "  esac\n}\n_vggplan \"$@\"\n";
}

std::string fish() {
  std::string script =
      "# fish completion for vggplan: vggplan completion fish > ~/.config/fish/completions/vggplan.fish\n"
      "set -l commands " +
      command_words() + "\n";
  for (const auto& row : base::NameTable<Command>::table) {
    script += fmt::format("complete -c vggplan -f -n \"not __fish_seen_subcommand_from $commands\" -a {} -d '{}'\n",
                          row.name, in_shell_quotes(row.help));
  }
  for (const Flag& flag : flags()) {
    std::string seen;
    for (const auto& row : base::NameTable<Command>::table) {
      if (flag.applies_to(row.value)) {
        seen += " " + std::string(row.name);
      }
    }
    const std::string condition =
        flag.applies_to(Command::plan)
            ? fmt::format("not __fish_seen_subcommand_from $commands; or __fish_seen_subcommand_from{}", seen)
            : fmt::format("__fish_seen_subcommand_from{}", seen);
    script += fmt::format("complete -c vggplan -n '{}' -l {}{} -d '{}'{}\n", condition, flag.name,
                          flag.letter == 0 ? "" : fmt::format(" -s {}", flag.letter), in_shell_quotes(flag.help),
                          flag.choices != nullptr ? fmt::format(" -x -a '{}'", fmt::join(flag.choices(), " "))
                          : takes_file(flag)      ? " -r"
                          : flag.takes_value()    ? " -x"
                                                  : "");
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
  const std::vector<std::string> known{"bash", "zsh", "fish"};
  return base::wrong("completion", fmt::format("{} is not a shell that it is made for", base::quoted(shell)),
                     base::suggestion(shell, known));
}

}  // namespace vggplan::app
