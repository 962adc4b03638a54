// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "app/help.hpp"
#include "app/output.hpp"
#include "app/run.hpp"
#include "vggplan/base/version.hpp"

namespace vggplan::app {

namespace {

/// Text for troff: dashes stay dashes, and nothing at the start of a line is taken for a request.
std::string troff(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    escaped += c == '\\' ? "\\e" : c == '-' ? "\\-" : std::string(1, c);
  }
  return escaped.starts_with('.') || escaped.starts_with('\'') ? "\\&" + escaped : escaped;
}

std::string flag_paragraph(const Flag& flag) {
  std::string text = ".TP\n";
  text += flag.letter == 0 ? "" : fmt::format("\\fB\\-{}\\fR, ", flag.letter);
  text += fmt::format("\\fB\\-\\-{}\\fR", troff(flag.name));
  text += flag.takes_value() ? fmt::format(" \\fI{}\\fR", troff(flag.value)) : "";
  text += "\n" + troff(described(flag));
  return text + fmt::format(". For {}.\n", flag.commands == ~0U ? "all commands" : command_list(flag, ", "));
}

std::string flag_sections() {
  std::string text;
  Group group = flags().front().group;
  text += fmt::format(".SS {}\n", title(group));
  for (const Flag& flag : flags()) {
    if (flag.group != group) {
      group = flag.group;
      text += fmt::format(".SS {}\n", title(group));
    }
    text += flag_paragraph(flag);
  }
  return text;
}

std::string command_section() {
  std::string text = ".SH COMMANDS\n";
  for (const CommandInfo& row : commands()) {
    const std::string_view positional = row.positional;
    text += fmt::format(".TP\n\\fB{}\\fR{}\n{}\n", base::name_of_enum(row.command),
                        positional.empty() ? "" : fmt::format(" \\fI{}\\fR", troff(positional)), troff(row.help));
  }
  return text;
}

std::string example_section() {
  std::string text = ".SH EXAMPLES\n";
  for (const CommandInfo& row : commands()) {
    for (const auto& [arguments, answer] : row.examples) {
      text += fmt::format(".TP\nvggplan {}\n{}\n", troff(arguments), troff(answer));
    }
  }
  return text;
}

std::string man_page() {
  std::string text = fmt::format(".TH VGGPLAN 1 \"\" \"vggplan {}\" \"User Commands\"\n", base::kVersion);
  text +=
      ".SH NAME\nvggplan \\- GPU memory and time of the training of convolutional networks\n"
      ".SH SYNOPSIS\n.B vggplan\n[\\fICOMMAND\\fR] [\\fIFLAGS\\fR]\n"
      ".SH DESCRIPTION\n"
      "Tells how much GPU memory and time the training of VGG or another convolutional network takes, which GPUs and "
      "settings to\n"
      "choose, and why. Nothing is trained and no GPU is needed. Without a command it plans.\n";
  text += command_section() + ".SH FLAGS\n" + flag_sections() + ".SH EXIT STATUS\n";
  for (const ExitCode& row : exit_codes()) {
    text += fmt::format(".TP\n{}\n{}\n", row.code, row.meaning);
  }
  text +=
      ".SH ENVIRONMENT\n"
      "Every flag that sets something may be given as a variable: VGGPLAN_USABLE_MEMORY stands for\n"
      "\\-\\-usable\\-memory. NO_COLOR and FORCE_COLOR are heeded, after \\-\\-color.\n"
      ".SH FILES\n"
      ".TP\nvggplan.toml\nsettings of the working folder, named like flags\n"
      ".TP\n$XDG_CONFIG_HOME/vggplan/config.toml\nsettings of the user; ~/.config stands for XDG_CONFIG_HOME unless "
      "set\n"
      ".PP\nFlags win over variables, these over the working folder, that over the user.\n";
  return text + example_section();
}

}  // namespace

base::Result<int> run_man(const Request& request, World& world) {
  TRY(emit(man_page(), request.options, world));
  return kYes;
}

}  // namespace vggplan::app
