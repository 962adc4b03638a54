// SPDX-License-Identifier: MIT
// What a settings file may say of files that are written or compared with.
#include <fmt/format.h>

#include "app/settings.hpp"
#include "vggplan/base/format.hpp"

namespace vggplan::app {

namespace {

bool is_output(const Flag& flag) { return flag.name == "output" || flag.name == "export"; }

/// The folder that a file is named in, as a path that another name can be put behind.
std::string folder_of(const std::string& file, World& world) {
  const std::size_t slash = file.rfind('/');
  const std::string folder = world.real_path(slash == std::string::npos ? "." : file.substr(0, slash + 1));
  return folder.ends_with('/') ? folder : folder + "/";
}

/// An output of a file that --config names: of its folder, and not out of it.
base::Status keep_in_folder(Setting& setting, const std::string& file, World& world) {
  // FORMAT=FILE or FILE; standard output is no file.
  const std::size_t split = setting.flag->name == "export" ? setting.value.find('=') : std::string::npos;
  const std::size_t start = split == std::string::npos ? 0 : split + 1;
  const std::string path = setting.value.substr(start);
  if (path.empty() || path == "-") {
    return std::nullopt;
  }
  const std::string folder = folder_of(file, world);
  const std::string target = world.real_path(path.front() == '/' ? path : folder + path);
  if (!target.starts_with(folder) || target == folder) {
    return base::wrong(
        setting.place, fmt::format("{} is not in the folder of that file", base::quoted(path)),
        "a settings file writes beside itself or below; name other places with --" + std::string(setting.flag->name));
  }
  setting.value = setting.value.substr(0, start) + target;
  return std::nullopt;
}

}  // namespace

bool needs_a_named_origin(const Flag& flag) { return flag.group == Group::gate || is_output(flag); }

base::Status admit(Setting& setting, const std::string& file, World& world) {
  if (setting.origin == Origin::named_file) {
    return is_output(*setting.flag) ? keep_in_folder(setting, file, world) : std::nullopt;
  }
  if (!needs_a_named_origin(*setting.flag)) {
    return std::nullopt;
  }
  const std::string_view flag = setting.flag->name;
  return base::wrong(
      setting.place, "names a file to write or to compare with, which only a settings file given with --config may do",
      fmt::format("leave it out, and give --{}, the variable {} or --config {}", flag, environment_name(flag), file));
}

void tell_outputs(const Settled& settled, std::vector<std::string>& notes) {
  for (const auto& [name, settings] : settled) {
    for (const Setting& setting : settings) {
      if (is_output(*setting.flag) && setting.origin != Origin::flag && setting.value != "-") {
        notes.push_back(fmt::format("{} {}, as {} says", name == "output" ? "the report goes to" : "an export goes to",
                                    base::quoted(setting.value), setting.source));
      }
    }
  }
}

}  // namespace vggplan::app
