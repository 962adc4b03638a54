// SPDX-License-Identifier: MIT
#include "app/help.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>

#include "vggplan/app/app.hpp"
#include "vggplan/render/render.hpp"

namespace vggplan::app {

namespace {

constexpr std::size_t kFlagColumn = 27;
constexpr std::array kGroups{Group::job,  Group::machine, Group::data,   Group::goal,   Group::sweep,
                             Group::gate, Group::run,     Group::output, Group::program};

std::string flag_entry(const Flag& flag, Command command, std::size_t columns) {
  const std::string letter = flag.letter == 0 ? "   " : fmt::format("-{},", flag.letter);
  std::string left = fmt::format("  {} --{}{}{}", letter, flag.name, flag.takes_value() ? " " : "", flag.value);
  left += left.size() + 2 > kFlagColumn ? "\n" + std::string(kFlagColumn, ' ')
                                        : std::string(kFlagColumn - left.size(), ' ');
  return left + wrapped(described(flag, command), kFlagColumn, kFlagColumn, columns) + "\n";
}

/// A command that stays one where it is broken.
std::string example(std::string_view arguments, std::size_t columns) {
  constexpr std::size_t kSign = 2;
  std::string line = "  " + wrapped(fmt::format("vggplan {}", arguments), 6, 2, columns - kSign);
  for (std::size_t at = line.find('\n'); at != std::string::npos; at = line.find('\n', at + kSign + 1)) {
    line.insert(at, " \\");
  }
  return line;
}

std::string examples(const CommandInfo& command, std::size_t columns) {
  std::string text = "Examples:\n";
  for (const auto& [arguments, answer] : command.examples) {
    text += fmt::format("{}\n      {}\n", example(arguments, columns), answer);
  }
  return text;
}

std::string flag_groups(Command command, std::size_t columns) {
  std::string text;
  for (const Group group : kGroups) {
    std::string entries;
    for (const Flag& flag : flags()) {
      if (flag.group == group && flag.applies_to(command)) {
        entries += flag_entry(flag, command, columns);
      }
    }
    if (!entries.empty()) {
      text += fmt::format("\n{}:\n{}", title(group), entries);
    }
  }
  return text;
}

}  // namespace

std::span<const ExitCode> exit_codes() {
  static constexpr std::array<ExitCode, 5> kCodes{{
      {kYes, "the answer is yes: it fits, it is within budget, the run was as planned"},
      {kNo, "the answer is no: nothing fits, a limit is exceeded"},
      {kWrongQuestion, "the question is wrong: usage, a value out of range, bad file contents"},
      {kFileTrouble, "a file could not be read or written"},
      {kProgramFault, "a fault of the program, or too little memory or time for it"},
  }};
  return kCodes;
}

std::string wrapped(std::string_view text, std::size_t indent, std::size_t used, std::size_t columns) {
  return fmt::format("{}", fmt::join(render::wrap(text, columns, indent, used), "\n" + std::string(indent, ' ')));
}

std::string described(const Flag& flag, std::optional<Command> command) {
  std::string text(flag.help);
  // Names of the catalogue are many; the commands that list them are named in the help of the program.
  constexpr std::size_t kMostShown = 6;
  if (flag.choices != nullptr && flag.help.find(',') == std::string_view::npos) {
    const std::vector<std::string> names = flag.choices();
    if (names.size() > 1 && names.size() <= kMostShown) {
      text += ": " + fmt::format("{}", fmt::join(names, ", "));
    }
  }
  const std::string fallback = fallback_words(flag, command);
  return fallback.empty()      ? text
         : fallback == kChosen ? text + " (chosen unless given)"
                               : fmt::format("{} (default {})", text, fallback);
}

std::string short_usage() {
  const auto& [arguments, what] = info(Command::plan).examples.front();
  return fmt::format(
      "vggplan plans the training of convolutional networks on GPUs. It asks for the size of the images and the "
      "GPUs:\n\n"
      "  vggplan {}\n      {}\n\n"
      "vggplan --help tells the other commands and flags, vggplan help COMMAND those of one.\n",
      arguments, what);
}

std::string program_help(std::size_t columns) {
  std::string text = wrapped(
                         "vggplan: how much GPU memory and time the training of VGG and other convolutional networks "
                         "takes, and what to run it on",
                         0, 0, columns) +
                     "\n\n";
  text += examples(info(Command::plan), columns);
  text += "\nUsage: vggplan [COMMAND] [FLAGS]\n\nCommands:\n";
  for (const CommandInfo& row : commands()) {
    text += fmt::format("  {:<12}{}\n", base::name_of_enum(row.command), row.help);
  }
  text += "\nvggplan help COMMAND shows the flags of a command. Without a command it plans:\n";
  text += flag_groups(Command::plan, columns);
  text += "\n" +
          wrapped("Every setting may also come from a variable (VGGPLAN_BATCH=4) or from vggplan.toml (batch = 4).", 0,
                  0, columns) +
          "\n\n";
  text += "Exit codes:\n";
  for (const ExitCode& row : exit_codes()) {
    text += fmt::format("  {}  {}\n", row.code, row.meaning);
  }
  return text;
}

std::string command_help(Command command, std::size_t columns) {
  const CommandInfo& about = info(command);
  const std::string_view name = base::name_of_enum(command);
  return fmt::format("vggplan {}: {}\n\n{}\nUsage: vggplan {}{}{} [FLAGS]\n{}", name, about.help,
                     examples(about, columns), name, about.positional.empty() ? "" : " ", about.positional,
                     flag_groups(command, columns));
}

}  // namespace vggplan::app
