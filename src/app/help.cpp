// SPDX-License-Identifier: MIT
#include "app/help.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

namespace vggplan::app {

namespace {

constexpr std::size_t kFlagColumn = 27;
constexpr std::array kGroups{Group::job,   Group::machine, Group::data,   Group::goal,
                             Group::sweep, Group::gate,    Group::output, Group::program};

/// Words of `text` on lines that start in column `indent`; the first is already there.
std::string wrapped(std::string_view text, std::size_t indent, std::size_t columns) {
  std::string result;
  std::size_t used = indent;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (used > indent && used + 1 + end > columns) {
      result += "\n" + std::string(indent, ' ');
      used = indent;
    } else if (used > indent) {
      result += ' ';
      ++used;
    }
    result += text.substr(0, end);
    used += end;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return result;
}

/// The help of a flag with its choices and default.
std::string described(const Flag& flag) {
  std::string text(flag.help);
  // Names of the catalogue are many; the commands that list them are named in the help of the program.
  constexpr std::size_t kMostShown = 6;
  if (flag.choices != nullptr && flag.help.find(',') == std::string_view::npos) {
    const std::vector<std::string> names = flag.choices();
    if (names.size() > 1 && names.size() <= kMostShown) {
      text += ": " + fmt::format("{}", fmt::join(names, ", "));
    }
  }
  return flag.fallback.empty() ? text : fmt::format("{} (default {})", text, flag.fallback);
}

std::string flag_entry(const Flag& flag, std::size_t columns) {
  const std::string letter = flag.letter == 0 ? "   " : fmt::format("-{},", flag.letter);
  std::string left = fmt::format("  {} --{}{}{}", letter, flag.name, flag.takes_value() ? " " : "", flag.value);
  left += left.size() + 2 > kFlagColumn ? "\n" + std::string(kFlagColumn, ' ')
                                        : std::string(kFlagColumn - left.size(), ' ');
  return left + wrapped(described(flag), kFlagColumn, columns) + "\n";
}

std::string examples(const CommandInfo& command) {
  std::string text = "Examples:\n";
  for (const auto& [arguments, answer] : command.examples) {
    text += fmt::format("  vggplan {}\n      {}\n", arguments, answer);
  }
  return text;
}

std::string flag_groups(Command command, std::size_t columns) {
  std::string text;
  for (const Group group : kGroups) {
    std::string entries;
    for (const Flag& flag : flags()) {
      if (flag.group == group && flag.applies_to(command)) {
        entries += flag_entry(flag, columns);
      }
    }
    if (!entries.empty()) {
      text += fmt::format("\n{}:\n{}", title(group), entries);
    }
  }
  return text;
}

constexpr std::string_view kExitCodes =
    "Exit codes:\n"
    "  0  the answer is yes: it fits, it is within budget\n"
    "  1  the answer is no: nothing fits, a limit is exceeded\n"
    "  2  the question is wrong: usage, a value out of range, bad file contents\n"
    "  3  a file could not be read or written\n"
    "  4  a fault of the program\n";

}  // namespace

std::string program_help(std::size_t columns) {
  std::string text =
      wrapped("vggplan: how much GPU memory and time the training of a VGG network takes, and what to run it on", 0,
              columns) +
      "\n\n";
  text += examples(info(Command::plan));
  text += "\nUsage: vggplan [COMMAND] [FLAGS]\n\nCommands:\n";
  for (const auto& row : base::NameTable<Command>::table) {
    text += fmt::format("  {:<12}{}\n", row.name, row.help);
  }
  text += "\nvggplan COMMAND --help shows the flags of a command. Without a command it plans:\n";
  text += flag_groups(Command::plan, columns);
  text += "\n" +
          wrapped("Every setting may also come from a variable (VGGPLAN_BATCH=4) or from vggplan.toml (batch = 4).", 0,
                  columns) +
          "\n\n";
  return text + std::string(kExitCodes);
}

std::string command_help(Command command, std::size_t columns) {
  const CommandInfo& about = info(command);
  const std::string_view name = base::name_of_enum(command);
  std::string_view summary;
  for (const auto& row : base::NameTable<Command>::table) {
    summary = row.value == command ? row.help : summary;
  }
  return fmt::format("vggplan {}: {}\n\n{}\nUsage: vggplan {}{}{} [FLAGS]\n{}", name, summary, examples(about), name,
                     about.positional.empty() ? "" : " ", about.positional, flag_groups(command, columns));
}

}  // namespace vggplan::app
