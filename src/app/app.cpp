// SPDX-License-Identifier: MIT
#include "vggplan/app/app.hpp"

#include <fmt/format.h>

#include <exception>
#include <new>

#include "app/endings.hpp"
#include "app/help.hpp"
#include "app/output.hpp"
#include "app/run.hpp"
#include "app/settings.hpp"
#include "vggplan/base/version.hpp"

namespace vggplan::app {

namespace {

base::Result<int> print(std::string_view text, const Options& options, World& world) {
  TRY(emit(text, options, world));
  return kYes;
}

base::Status count_positionals(const Invocation& invocation) {
  const CommandInfo& about = info(invocation.command);
  if (invocation.positionals.size() >= about.fewest) {
    return std::nullopt;
  }
  const std::string_view name = base::name_of_enum(invocation.command);
  return base::wrong(name, fmt::format("needs {}", about.positional),
                     fmt::format("for example: vggplan {}", about.examples.front().first));
}

/// What the scripts of `completion` call, and nobody else.
constexpr std::string_view kComplete = "__complete";

/// "help" and "help COMMAND" as --help and COMMAND --help.
std::vector<std::string> without_help_word(std::vector<std::string> arguments) {
  if (!arguments.empty() && arguments.front() == "help") {
    arguments.erase(arguments.begin());
    arguments.emplace_back("--help");
  }
  return arguments;
}

base::Result<int> answer(const std::vector<std::string>& given, World& world) {
  if (!given.empty() && given.front() == kComplete) {
    return print(completed({given.begin() + 1, given.end()}), {}, world);
  }
  const std::vector<std::string> arguments = without_help_word(given);
  const bool bare = arguments.empty();
  const Invocation invocation = TRY(parse_arguments(arguments));
  const std::size_t columns = text_options({}, world, false).columns;
  if (invocation.asks_for("help")) {
    const bool named = arguments.front().front() != '-';
    return print(named ? command_help(invocation.command, columns) : program_help(columns), {}, world);
  }
  if (invocation.asks_for("version")) {
    return print(fmt::format("vggplan {}\n", base::kVersion), {}, world);
  }
  std::vector<std::string> notes;
  Settled settled = TRY(gather(invocation, world, notes));
  Options options = TRY(make_options(settled));
  // A file that says where output goes cannot say that nobody hears of it.
  const auto quiet = settled.find("quiet");
  Options by_the_user;
  by_the_user.quiet = options.quiet && quiet != settled.end() && quiet->second.front().origin >= Origin::environment;
  for (const std::string& text : notes) {
    note(world, by_the_user, text);
  }
  if (invocation.asks_for("print-config")) {
    return print(options.format == Format::json ? config_json(settled, invocation.command)
                                                : print_config(settled, invocation.command),
                 options, world);
  }
  TRY(check_targets(options, world));
  if (bare && !options.height) {
    // Whoever types the name alone wants to know what to type: one example, not a page of flags. It goes to standard
    // error with exit code 2, as nothing was answered: a script whose variable is empty must not read a yes.
    world.write_err(short_usage());
    return kWrongQuestion;
  }
  TRY(count_positionals(invocation));
  return info(invocation.command)
      .run({invocation.command, std::move(options), std::move(settled), invocation.positionals}, world);
}

}  // namespace

int run(const std::vector<std::string>& arguments, World& world) {
  try {
    const base::Result<int> code = answer(arguments, world);
    if (!code) {
      say(world, code.error());
      return exit_code(code.error().fault);
    }
    return *code;
  } catch (const std::bad_alloc&) {
    world.write_err(kNoMemory);
    return kProgramFault;
  } catch (const std::exception& error) {
    say(world, {base::Fault::program, "a fault of the program", error.what(),
                "please report it with the command line that led to it"});
    return kProgramFault;
  }
}

}  // namespace vggplan::app
