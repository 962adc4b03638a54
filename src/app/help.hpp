// SPDX-License-Identifier: MIT
// Help, shell completion and the manual page: three views of the table of flags.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "app/flags.hpp"
#include "vggplan/base/result.hpp"

namespace vggplan::app {

/// A few lines for whoever gives no arguments.
std::string short_usage();
/// Of the program, and of one command.
std::string program_help(std::size_t columns);
std::string command_help(Command command, std::size_t columns);

/// What may stand in the place of the last of `words`, a line each.
std::string completed(const std::vector<std::string>& words);

/// The help of a flag with its choices and default, for one command or for all.
std::string described(const Flag& flag, std::optional<Command> command = std::nullopt);

struct ExitCode {
  int code{};
  std::string_view meaning{};
};
std::span<const ExitCode> exit_codes();

/// Words of `text` on lines that start in column `indent`; of the first, `used` columns are taken already.
std::string wrapped(std::string_view text, std::size_t indent, std::size_t used, std::size_t columns);

}  // namespace vggplan::app
