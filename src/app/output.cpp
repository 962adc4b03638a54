// SPDX-License-Identifier: MIT
#include "app/output.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "app/help.hpp"
#include "vggplan/base/format.hpp"

namespace vggplan::app {

namespace {

/// The character set of the terminal, by the variables that C libraries look at, in their order.
bool locale_is_utf8(World& world) {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    std::string value = world.variable(name);
    if (value.empty()) {
      continue;
    }
    std::ranges::transform(value, value.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return value.find("utf-8") != std::string::npos || value.find("utf8") != std::string::npos;
  }
  return false;
}

/// --color > NO_COLOR > FORCE_COLOR > terminal. NO_COLOR counts when it is not empty (no-color.org).
bool wants_color(const Options& options, World& world, bool to_file) {
  switch (options.color) {
    case Color::always: return true;
    case Color::never: return false;
    case Color::automatic: break;
  }
  if (!world.variable("NO_COLOR").empty()) {
    return false;
  }
  const std::string forced = world.variable("FORCE_COLOR");
  if (!forced.empty()) {
    return forced != "0";
  }
  return !to_file && world.out_is_terminal() && world.variable("TERM") != "dumb";
}

/// One message: on a terminal on lines that end between words, in a file on one that can be searched.
std::string told(World& world, std::string_view text, std::string_view first) {
  if (!world.err_is_terminal()) {
    return fmt::format("{}{}\n", first, text);
  }
  const std::size_t columns = text_options({}, world, false).columns;
  return std::string(first) + wrapped(text, 2, first.size(), columns) + "\n";
}

}  // namespace

render::TextOptions text_options(const Options& options, World& world, bool to_file) {
  constexpr std::size_t kFewest = 60;
  constexpr std::size_t kUsual = 80;
  constexpr std::size_t kMost = 160;
  const std::size_t terminal = to_file || !world.out_is_terminal() ? 0 : world.out_columns();
  render::TextOptions result;
  result.columns = terminal == 0 ? kUsual : std::clamp(terminal, kFewest, kMost);
  result.color = wants_color(options, world, to_file);
  result.unicode = locale_is_utf8(world);
  result.verbose = options.verbose;
  return result;
}

std::string rendered(const report::Document& report, Format format, const Options& options, World& world,
                     bool to_file) {
  switch (format) {
    case Format::text: return render::text(report, text_options(options, world, to_file));
    case Format::json: return render::json(report);
    case Format::csv: return render::csv(report);
    case Format::markdown: return render::markdown(report);
    case Format::html: return render::html(report);
  }
  return "";
}

base::Status emit(std::string_view text, const Options& options, World& world) {
  if (options.output) {
    return world.write_files({{*options.output, std::string(text)}});
  }
  TRY(world.write_out(text));
  return world.flush_out();
}

base::Status check_targets(const Options& options, World& world) {
  std::set<std::string> paths;
  if (options.output) {
    paths.insert(world.real_path(*options.output));
  }
  if (options.calibrate && !paths.insert(world.real_path(*options.calibrate)).second) {
    return base::wrong("--calibrate", fmt::format("{} is written twice", base::quoted(*options.calibrate)),
                       "name a file of its own");
  }
  for (const Export& copy : options.exports) {
    if (!paths.insert(world.real_path(copy.path)).second) {
      return base::wrong(options.place("export"), fmt::format("{} is written twice", base::quoted(copy.path)),
                         "name a file for each format");
    }
  }
  return std::nullopt;
}

base::Status hand_out(const std::string& text, const report::Document& report, const Options& options, World& world,
                      std::vector<TextFile> files) {
  // All formats before the first byte leaves, and files before standard output, which cannot be taken back: a report
  // that one of them cannot hold is not half delivered.
  for (const Export& copy : options.exports) {
    files.push_back({copy.path, rendered(report, copy.format, options, world, true)});
  }
  if (options.output) {
    files.push_back({*options.output, text});
  }
  TRY(world.write_files(files));
  return options.output ? std::nullopt : emit(text, options, world);
}

base::Result<int> deliver(const report::Document& report, const Options& options, World& world, int code,
                          std::vector<TextFile> files) {
  const std::string text = rendered(report, options.format, options, world, options.output.has_value());
  TRY(hand_out(text, report, options, world, std::move(files)));
  return code;
}

void say(World& world, const base::Diagnostic& error) {
  // A path or a name from outside may hold anything.
  std::string text = told(world, base::printable(error.place) + ": " + base::printable(error.rule), "vggplan: ");
  if (!error.remedy.empty()) {
    text += told(world, base::printable(error.remedy), "  ");
  }
  world.write_err(text);
}

void note(World& world, const Options& options, std::string_view text) {
  if (!options.quiet) {
    world.write_err(told(world, base::printable(text), "vggplan: "));
  }
}

int exit_code(base::Fault fault) {
  switch (fault) {
    case base::Fault::question: return kWrongQuestion;
    case base::Fault::file: return kFileTrouble;
    case base::Fault::program: return kProgramFault;
  }
  return kProgramFault;
}

}  // namespace vggplan::app
