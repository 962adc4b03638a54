// SPDX-License-Identifier: MIT
// Help, shell completion and the manual page: three views of the table of flags.
#pragma once

#include <cstddef>
#include <string>

#include "app/flags.hpp"
#include "vggplan/base/result.hpp"

namespace vggplan::app {

/// Of the program, and of one command.
std::string program_help(std::size_t columns);
std::string command_help(Command command, std::size_t columns);

base::Result<std::string> completion(const std::string& shell);
std::string man_page();

}  // namespace vggplan::app
