// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "app/settings.hpp"
#include "vggplan/base/format.hpp"
#include "vggplan/base/names.hpp"

namespace vggplan::app {

namespace {

std::string dashed(std::string_view flag) { return "--" + std::string(flag); }

base::Diagnostic unknown_flag(const std::string& argument, Command command) {
  const std::string name = argument.substr(0, argument.find('='));
  const Flag* elsewhere = name.starts_with("--") ? find_flag(std::string_view(name).substr(2)) : nullptr;
  if (elsewhere != nullptr) {
    return base::wrong(name, fmt::format("is not a flag of '{}'", base::name_of_enum(command)),
                       "it belongs to " + command_list(*elsewhere, ", "));
  }
  std::vector<std::string> known = names_of_flags([&](const Flag& flag) { return flag.applies_to(command); });
  std::ranges::transform(known, known.begin(), dashed);
  return base::wrong(base::quoted(name), "is not a known flag",
                     base::suggestion(name, known, fmt::format("see vggplan {} --help", base::name_of_enum(command))));
}

base::Result<Command> parse_command(const std::string& word) {
  if (const std::optional<Command> command = base::parse_enum<Command>(word)) {
    return *command;
  }
  return base::wrong(base::quoted(word), "is not a command", base::suggestion(word, base::enum_names<Command>()));
}

/// An argument that is neither a flag nor the value of one.
base::Status add_positional(Invocation& invocation, const std::string& argument) {
  const CommandInfo& command = info(invocation.command);
  if (invocation.positionals.size() == command.most) {
    const bool is_command = base::parse_enum<Command>(argument).has_value();
    return base::wrong(base::quoted(argument),
                       fmt::format("is one argument too many for '{}'", base::name_of_enum(invocation.command)),
                       is_command ? fmt::format("write the command first: vggplan {} ...", argument)
                                  : fmt::format("see vggplan {} --help", base::name_of_enum(invocation.command)));
  }
  invocation.positionals.push_back(argument);
  return std::nullopt;
}

base::Status add_extras(Invocation& invocation, const std::vector<std::string>& extras) {
  bool only_positionals = false;
  for (const std::string& argument : extras) {
    if (!only_positionals && argument == "--") {
      only_positionals = true;
    } else if (!only_positionals && argument.size() > 1 && argument.front() == '-') {
      return unknown_flag(argument, invocation.command);
    } else if (base::Status error = add_positional(invocation, argument)) {
      return error;
    }
  }
  return std::nullopt;
}

base::Status add_values(Invocation& invocation, const Flag& flag, const std::vector<std::string>& values) {
  if (values.size() > 1 && !flag.repeatable) {
    return base::wrong(dashed(flag.name), "is given more than once", "give it once");
  }
  for (const std::string& value : values) {
    if (flag.takes_value() && value.starts_with("--") && find_flag(std::string_view(value).substr(2)) != nullptr) {
      return base::wrong(dashed(flag.name),
                         fmt::format("takes a value ({}), and the flag {} follows", flag.value, value), "");
    }
    invocation.settings.push_back({&flag, value, dashed(flag.name), "flag", Origin::flag});
  }
  return std::nullopt;
}

std::vector<std::pair<const Flag*, CLI::Option*>> add_flags(CLI::App& parser, Command command) {
  parser.set_help_flag();
  parser.allow_extras();
  std::vector<std::pair<const Flag*, CLI::Option*>> options;
  for (const Flag& flag : flags()) {
    if (!flag.applies_to(command)) {
      continue;
    }
    const std::string names = (flag.letter == 0 ? "" : fmt::format("-{},", flag.letter)) + dashed(flag.name);
    CLI::Option* option = flag.takes_value() ? parser.add_option(names) : parser.add_flag(names);
    option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)->allow_extra_args(false);
    options.emplace_back(&flag, option);
  }
  return options;
}

base::Status parse(CLI::App& parser, std::vector<std::string> reversed) {
  try {
    parser.parse(std::move(reversed));
  } catch (const CLI::ArgumentMismatch& error) {
    const std::string message = error.what();
    return base::wrong(message.substr(0, message.find(':')), "takes a value, and none follows", "");
  } catch (const CLI::ParseError& error) {
    return base::wrong("the command line", error.what(), "see vggplan --help");
  }
  return std::nullopt;
}

}  // namespace

bool Invocation::asks_for(std::string_view flag) const {
  const Setting* setting = find(flag);
  return setting != nullptr && setting->value != "false";
}

const Setting* Invocation::find(std::string_view flag) const {
  const auto found = std::ranges::find_if(settings, [&](const Setting& setting) { return setting.flag->name == flag; });
  return found == settings.end() ? nullptr : &*found;
}

base::Result<Invocation> parse_arguments(const std::vector<std::string>& arguments) {
  Invocation invocation;
  std::size_t first = 0;
  if (!arguments.empty() && !arguments.front().empty() && arguments.front().front() != '-') {
    const Command command = TRY(parse_command(arguments.front()));
    invocation.command = command;
    first = 1;
  }
  CLI::App parser;
  const auto options = add_flags(parser, invocation.command);
  // CLI11 takes its arguments from the back.
  TRY(parse(parser, {arguments.rbegin(), arguments.rend() - static_cast<std::ptrdiff_t>(first)}));
  for (const auto& [flag, option] : options) {
    TRY(add_values(invocation, *flag, option->results()));
  }
  TRY(add_extras(invocation, parser.remaining()));
  return invocation;
}

}  // namespace vggplan::app
