// SPDX-License-Identifier: MIT
#include "app/settings.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "app/values.hpp"
#include "vggplan/base/ascii.hpp"
#include "vggplan/base/format.hpp"

namespace vggplan::app {

namespace {

Setting renamed(const Setting& setting, std::string_view flag, std::string value) {
  Setting result = setting;
  result.flag = find_flag(flag);
  result.value = std::move(value);
  return result;
}

/// Writes --size, --json, --gpu and --memory out as the flags that they are short for.
base::Status write_out_short_form(const Setting& setting, std::vector<Setting>& all) {
  if (setting.flag->name == "size") {
    if (setting.value.find("..") != std::string::npos) {
      return base::wrong(setting.place, fmt::format("cannot make sizes out of {}", base::quoted(setting.value)),
                         "write 224:512:32 (from:to:step), or 224,320,512");
    }
    if (setting.value.find_first_of(",:") != std::string::npos) {
      all.push_back(renamed(setting, "sizes", setting.value));
      return std::nullopt;
    }
    const auto parts = TRY(split_size(setting.value, setting.place));
    all.push_back(renamed(setting, "height", parts.first));
    all.push_back(renamed(setting, "width", parts.second));
  } else if (setting.flag->name == "json") {
    const bool wanted = TRY(parse_switch(setting.value, setting.place));
    if (wanted) {
      all.push_back(renamed(setting, "format", "json"));
    }
  } else if (setting.flag->name == "gpu") {
    if (setting.value.find(',') != std::string::npos) {
      return base::wrong(setting.place, fmt::format("takes one GPU, not {}", base::quoted(setting.value)),
                         "give alternatives to plan with --gpus");
    }
    all.push_back(renamed(setting, "gpus", setting.value));
  } else if (setting.flag->name == "memory") {
    TRY(base::parse_bytes(setting.value, setting.place));
    all.push_back(renamed(setting, "gpus", setting.value));
  } else {
    all.push_back(setting);
  }
  return std::nullopt;
}

/// Takes away what weaker origins say with one of `flags` than the strongest that gives one of `named`.
void set_weaker_aside(std::vector<Setting>& settings, std::initializer_list<std::string_view> named,
                      std::initializer_list<std::string_view> flags) {
  const auto among = [](const Setting& setting, std::initializer_list<std::string_view> names) {
    return std::ranges::find(names, setting.flag->name) != names.end();
  };
  Origin strongest = Origin::user_file;
  for (const Setting& setting : settings) {
    strongest = among(setting, named) ? std::max(strongest, setting.origin) : strongest;
  }
  std::erase_if(settings, [&](const Setting& setting) { return among(setting, flags) && setting.origin < strongest; });
}

/// Commands whose answer hangs on the project's file: those about a job, and the gate.
bool needs_project_file(Command command) {
  return command == Command::plan || command == Command::estimate || command == Command::layers ||
         command == Command::fit || command == Command::sweep || command == Command::check ||
         command == Command::launch;
}

/// What these print depends on no setting.
bool needs_no_settings(Command command) {
  return command == Command::schema || command == Command::completion || command == Command::man;
}

std::string user_file(World& world) {
  const std::string base = world.variable("XDG_CONFIG_HOME");
  if (!base.empty()) {
    return base + "/vggplan/config.toml";
  }
  const std::string home = world.variable("HOME");
  return home.empty() ? "" : home + "/.config/vggplan/config.toml";
}

base::Status add_file(std::vector<Setting>& all, World& world, const std::string& path, Origin origin) {
  const std::string text = TRY(world.read_file(path));
  std::vector<Setting> settings = TRY(parse_config(text, path, origin));
  for (Setting& setting : settings) {
    TRY(admit(setting, path, world));
    all.push_back(std::move(setting));
  }
  return std::nullopt;
}

/// The user's file and the project's, or the one that is `named`. A fault of the project's stops what answers about
/// a job and the gate, and nothing else.
base::Status add_files(std::vector<Setting>& all, World& world, const Setting* named, Command command,
                       std::vector<std::string>& notes) {
  const std::string user = user_file(world);
  if (!user.empty() && !needs_no_settings(command) && world.is_file(user)) {
    TRY(add_file(all, world, user, Origin::user_file));
  }
  if (named != nullptr) {
    base::Status error = add_file(all, world, named->value, Origin::named_file);
    return error ? base::Status(named_file(*error, named->place, "name a file of settings, such as batch = 4")) : error;
  }
  constexpr const char* kProject = "vggplan.toml";
  if (needs_no_settings(command) || !world.is_file(kProject)) {
    return std::nullopt;
  }
  base::Status error = add_file(all, world, kProject, Origin::project_file);
  if (error && !needs_project_file(command)) {
    notes.push_back(fmt::format("{} is passed over: {}: {}", kProject, error->place, error->rule));
    return std::nullopt;
  }
  return error;
}

/// "batch=1,2,price=3" as "batch=1,2" and "price=3": a part without a sign belongs to the one before it.
std::vector<std::string> split_pairs(std::string_view text) {
  std::vector<std::string> pairs;
  for (const std::string_view part : base::split(text, ',')) {
    if (pairs.empty() || part.find('=') != std::string_view::npos) {
      pairs.emplace_back(part);
    } else {
      pairs.back() += "," + std::string(part);
    }
  }
  return pairs;
}

}  // namespace

std::vector<Setting> environment_settings(const std::map<std::string, std::string>& environment,
                                          std::vector<std::string>& notes) {
  constexpr std::string_view kPrefix = "VGGPLAN_";
  std::vector<Setting> settings;
  const auto may_be_set = [](const Flag& flag) { return flag.configurable || flag.name == "config"; };
  for (const auto& [name, value] : environment) {
    if (!name.starts_with(kPrefix)) {
      continue;
    }
    const auto found = std::ranges::find_if(flags(), [&, &wanted = name](const Flag& flag) {
      return may_be_set(flag) && environment_name(flag.name) == wanted;
    });
    if (found == flags().end()) {
      // By what follows the prefix: with it, any two names are much alike.
      std::vector<std::string> endings;
      for (const std::string& flag : names_of_flags(may_be_set)) {
        endings.push_back(environment_name(flag).substr(kPrefix.size()));
      }
      const std::vector<std::string> near = base::nearest(name.substr(kPrefix.size()), endings, 1);
      if (!near.empty()) {
        notes.push_back(fmt::format("the variable {} is not known; did you mean '{}{}'?", base::quoted(name), kPrefix,
                                    near.front()));
      }
      continue;
    }
    for (std::string& part : found->repeatable ? split_pairs(value) : std::vector<std::string>{value}) {
      settings.push_back({&*found, std::move(part), name, name, Origin::environment});
    }
  }
  return settings;
}

base::Result<Settled> settle(const std::vector<Setting>& settings, Command command) {
  std::vector<Setting> all;
  for (const Setting& setting : settings) {
    // A file or a variable speaks to every command; what does not concern this one is passed over.
    if (!setting.flag->applies_to(command)) {
      continue;
    }
    TRY(write_out_short_form(setting, all));
  }
  // A count without its GPU would mean something else.
  set_weaker_aside(all, {"gpus", "machine"}, {"gpus", "machine", "gpu-count", "nodes"});
  // One size stands for several.
  set_weaker_aside(all, {"height", "width"}, {"sizes"});
  Settled settled;
  for (Setting& setting : all) {
    std::vector<Setting>& held = settled[std::string(setting.flag->name)];
    if (!held.empty() && held.front().origin > setting.origin) {
      continue;
    }
    if (!held.empty() && held.front().origin < setting.origin) {
      held.clear();
    }
    if (!held.empty() && !setting.flag->repeatable && held.front().value != setting.value) {
      return base::wrong(setting.place,
                         fmt::format("contradicts {}: {} against {}", held.front().place, base::quoted(setting.value),
                                     base::quoted(held.front().value)),
                         "give one of the two");
    }
    held.push_back(std::move(setting));
  }
  return settled;
}

base::Result<Settled> gather(const Invocation& invocation, World& world, std::vector<std::string>& notes) {
  std::vector<Setting> all;
  std::vector<Setting> from_environment = environment_settings(world.environment(), notes);
  const Setting* named = invocation.find("config");
  for (const Setting& setting : from_environment) {
    named = named == nullptr && setting.flag->name == "config" ? &setting : named;
  }
  TRY(add_files(all, world, named, invocation.command, notes));
  std::erase_if(from_environment, [](const Setting& setting) { return setting.flag->name == "config"; });
  all.insert(all.end(), from_environment.begin(), from_environment.end());
  for (const Setting& setting : invocation.settings) {
    if (setting.flag->store != nullptr || setting.flag->configurable) {
      all.push_back(setting);
    }
  }
  base::Result<Settled> settled = settle(all, invocation.command);
  if (settled) {
    tell_outputs(*settled, notes);
  }
  return settled;
}

base::Result<Options> make_options(const Settled& settled) {
  Options options;
  for (const Flag& flag : flags()) {
    const auto found = settled.find(flag.name);
    if (found == settled.end() || flag.store == nullptr) {
      continue;
    }
    for (const Setting& setting : found->second) {
      options.places[std::string(flag.name)] = setting.place;
      TRY(flag.store(options, setting.value, setting.place));
    }
  }
  return options;
}

}  // namespace vggplan::app
