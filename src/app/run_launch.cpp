// SPDX-License-Identifier: MIT
// launch: from a plan to a folder that runs it.
#include <fmt/format.h>

#include "app/flags.hpp"
#include "app/help.hpp"
#include "app/output.hpp"
#include "app/reports.hpp"
#include "vggplan/base/format.hpp"
#include "vggplan/launch/launch.hpp"

namespace vggplan::app {

namespace {

using report::Document;

bool is_about_the_plan(const Flag& flag) {
  return flag.group == Group::job || flag.group == Group::machine || flag.group == Group::data ||
         flag.group == Group::goal;
}

/// One word of a shell's command line.
std::string shell_word(const std::string& text) {
  constexpr std::string_view kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:=,+%@-";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string::npos) {
    return text;
  }
  std::string quoted = "'";
  for (const char c : text) {
    quoted += c == '\'' ? "'\\''" : std::string(1, c);
  }
  return quoted + "'";
}

/// A plan that was saved is what it is: flags that would have asked for another are a misunderstanding.
base::Status check_no_question(const Request& request) {
  for (const Flag& flag : flags()) {
    const auto found = request.settled.find(flag.name);
    if (is_about_the_plan(flag) && found != request.settled.end() && found->second.front().origin == Origin::flag) {
      return base::wrong(
          found->second.front().place,
          fmt::format("asks for a plan, and {} is one already", base::quoted(request.positionals.front())),
          "leave one of the two out");
    }
  }
  return std::nullopt;
}

base::Result<Document> find_plan(const Request& request, World& world) {
  if (request.positionals.empty()) {
    return plan_report(request, world);
  }
  TRY(check_no_question(request));
  const std::string& path = request.positionals.front();
  base::Result<Document> report = read_report(path, world);
  if (report && report::kind(*report) != report::Kind::plan) {
    return base::wrong(
        path, fmt::format("is a report of {}, and a plan is needed", base::name_of_enum(report::kind(*report))),
        "save one with vggplan plan --json --output plan.json");
  }
  return report;
}

/// What is in the folder, and how to start it.
std::string listing(const std::vector<launch::File>& files, const std::string& folder, std::size_t columns) {
  constexpr std::size_t kAbout = 20;
  std::string text = base::printable(folder) + ":\n";
  for (const launch::File& file : files) {
    text += fmt::format("  {:<{}}{}\n", file.name, kAbout - 2, wrapped(file.about, kAbout, kAbout, columns));
  }
  return text;
}

}  // namespace

std::string launch_command(const Settled& settled) {
  std::string command = "vggplan launch";
  for (const Flag& flag : flags()) {
    const auto found = settled.find(flag.name);
    if (found == settled.end() || !is_about_the_plan(flag)) {
      continue;
    }
    for (const Setting& setting : found->second) {
      if (setting.origin >= Origin::named_file) {
        const bool bare = !flag.takes_value() && setting.value == "true";
        command += fmt::format(" --{}", flag.name);
        command += bare ? "" : (flag.takes_value() ? " " : "=") + shell_word(setting.value);
      }
    }
  }
  return command + " --output run";
}

base::Result<int> run_launch(const Request& request, World& world) {
  const Options& options = request.options;
  if (!options.output) {
    return base::wrong("--output", "is needed: the folder of the run", "for example --output run");
  }
  const Document plan = TRY(find_plan(request, world));
  if (plan.at("job").at("mode") != "train") {
    return base::wrong(request.positionals.empty() ? options.place("mode") : request.positionals.front(),
                       "asks about inference, and a run trains", "plan with --mode train");
  }
  if (!plan.contains("recommendation")) {
    TRY(emit(rendered(plan, Format::text, options, world, false), {}, world));
    return kNo;
  }
  std::vector<launch::File> files = launch::run_folder(plan, options.engine);
  files.insert(files.begin(), {"plan.json", rendered(plan, Format::json, options, world, true), "the plan", false});
  TRY(world.write_folder(*options.output, files, options.force));
  TRY(emit(listing(files, *options.output, text_options(options, world, false).columns), {}, world));
  return kYes;
}

}  // namespace vggplan::app
