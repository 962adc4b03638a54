// SPDX-License-Identifier: MIT
// The one table of flags. Parsing, help, configuration files, environment, completion and the manual
// page all read it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/options.hpp"
#include "vggplan/base/result.hpp"

namespace vggplan::app {

class World;
struct Request;

enum class Group { job, machine, data, goal, sweep, gate, run, output, program };

using CommandSet = unsigned;
constexpr CommandSet only(Command command) { return 1U << static_cast<unsigned>(command); }

struct Flag {
  std::string_view name{};      ///< without dashes
  std::string_view value{};     ///< what it takes, as help shows it; empty for a switch
  std::string_view fallback{};  ///< default as help shows it; may be empty
  std::string_view help{};
  Group group{Group::job};
  CommandSet commands{};
  /// Stores one value; `place` is what errors call it. Null: the value acts before options are built.
  base::Status (*store)(Options&, std::string_view value, std::string_view place){nullptr};
  std::vector<std::string> (*choices)(){nullptr};  ///< what it may be, or begins with where that ends in '='
  char letter{};                                   ///< short form, or 0
  bool configurable{true};                         ///< may also come from a file or the environment
  bool repeatable{false};

  [[nodiscard]] bool takes_value() const { return !value.empty(); }
  [[nodiscard]] bool applies_to(Command command) const { return (commands & only(command)) != 0; }
};

std::span<const Flag> flags();
/// What holds where the flag is not given, for one command or for all; `kChosen` where the plan decides.
std::string fallback_words(const Flag& flag, std::optional<Command> command);
inline constexpr std::string_view kChosen = "chosen";
/// The names of the commands that take the flag.
std::string command_list(const Flag& flag, std::string_view separator);
const Flag* find_flag(std::string_view name);
template <class Wanted>
std::vector<std::string> names_of_flags(Wanted wanted) {
  std::vector<std::string> names;
  for (const Flag& flag : flags()) {
    if (wanted(flag)) {
      names.emplace_back(flag.name);
    }
  }
  return names;
}
std::string_view title(Group group);

struct CommandUsage {
  Command command{};
  base::Result<int> (*run)(const Request& request, World& world){};
  std::string_view help{};
  std::string_view positional{};  ///< as usage shows it: "REPORT.json", "[NAME]"
  std::size_t fewest{0};          ///< positional arguments
  std::size_t most{0};
};
struct CommandInfo : CommandUsage {
  std::vector<std::pair<std::string_view, std::string_view>> examples{};  ///< arguments and what they answer
  std::vector<std::string> (*names)(){nullptr};  ///< what the positional may be; null: nothing, or a file
};
std::span<const CommandInfo> commands();
const CommandInfo& info(Command command);

/// Names of the catalogue that flags and arguments take: GPUs with their aliases, schemas without their ending.
std::vector<std::string> known_gpus();
std::vector<std::string> known_machines();
std::vector<std::string> known_models();
std::vector<std::string> known_schemas();
/// Shells that completion is made for.
std::vector<std::string> known_shells();

/// VGGPLAN_USABLE_MEMORY for "usable-memory".
std::string environment_name(std::string_view flag);

}  // namespace vggplan::app
