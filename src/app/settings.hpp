// SPDX-License-Identifier: MIT
// From arguments, environment and files to options: who said what, and who wins.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "app/flags.hpp"
#include "app/options.hpp"
#include "vggplan/app/app.hpp"
#include "vggplan/base/result.hpp"
#include "vggplan/report/document.hpp"

namespace vggplan::app {

/// Where a setting comes from, weakest first. The project's file was found in the working folder, a named one is that
/// of --config.
enum class Origin { user_file, project_file, named_file, environment, flag };

/// Whether the flag says what is written where, or what the gate holds reports against. A file that was merely found
/// may not: it may have come with a clone, or with the pull request that the gate is about.
bool needs_a_named_origin(const Flag& flag);

struct Setting {
  const Flag* flag{};
  std::string value{};
  std::string place{};   ///< what errors call it: "--batch", "VGGPLAN_BATCH", "vggplan.toml:3: batch"
  std::string source{};  ///< what --print-config calls it: "flag", "VGGPLAN_BATCH", "vggplan.toml:3"
  Origin origin{Origin::flag};
};

/// The command line, taken apart.
struct Invocation {
  Command command{Command::plan};
  std::vector<std::string> positionals{};
  std::vector<Setting> settings{};

  [[nodiscard]] bool asks_for(std::string_view flag) const;
  [[nodiscard]] const Setting* find(std::string_view flag) const;
};

base::Result<Invocation> parse_arguments(const std::vector<std::string>& arguments);

/// Settings of a TOML file. Keys are the names of flags, with dashes or underscores.
base::Result<std::vector<Setting>> parse_config(std::string_view text, const std::string& path, Origin origin);

/// Any TOML file as JSON.
base::Result<report::Document> parse_toml(std::string_view text, const std::string& path);

/// Settings of VGGPLAN_* variables. Variables that nearly name a flag are told of in `notes`.
std::vector<Setting> environment_settings(const std::map<std::string, std::string>& environment,
                                          std::vector<std::string>& notes);

/// What holds: per flag the settings of the strongest origin. Short forms (--size, --json, --gpu) are
/// written out, and flags that exclude each other have been told apart.
using Settled = std::map<std::string, std::vector<Setting>, std::less<>>;
base::Result<Settled> settle(const std::vector<Setting>& settings, Command command);

/// Whether `file` may say this. The path of an output is then made absolute.
base::Status admit(Setting& setting, const std::string& file, World& world);

/// Outputs that no flag asked for: who runs the program may not know of them.
void tell_outputs(const Settled& settled, std::vector<std::string>& notes);

/// All layers for an invocation, files and environment read through `world`. Outputs of a file that --config names
/// are within the folder of that file.
base::Result<Settled> gather(const Invocation& invocation, World& world, std::vector<std::string>& notes);

base::Result<Options> make_options(const Settled& settled);

/// Every setting of the command and its origin, as TOML that can be read back.
std::string print_config(const Settled& settled, Command command);
/// The same as {flag: {value, source}}; what is not set is absent.
std::string config_json(const Settled& settled, Command command);

}  // namespace vggplan::app
