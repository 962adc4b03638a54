// SPDX-License-Identifier: MIT
// Where a report goes, and in which dress.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "app/options.hpp"
#include "vggplan/app/app.hpp"
#include "vggplan/base/result.hpp"
#include "vggplan/render/render.hpp"

namespace vggplan::app {

/// Columns, colour and character set for text on standard output, or for a file (`to_file`).
render::TextOptions text_options(const Options& options, World& world, bool to_file);

std::string rendered(const report::Document& report, Format format, const Options& options, World& world, bool to_file);

/// Writes `text` to --output, or to standard output.
base::Status emit(std::string_view text, const Options& options, World& world);

/// Whether --output and every --export write to files of their own, by whatever names.
base::Status check_targets(const Options& options, World& world);

/// The report in the format asked for, every --export, and `files` that belong to them; then the exit code.
base::Result<int> deliver(const report::Document& report, const Options& options, World& world, int code = kYes,
                          std::vector<TextFile> files = {});
/// The same where the report was written as `text` already.
base::Status hand_out(const std::string& text, const report::Document& report, const Options& options, World& world,
                      std::vector<TextFile> files = {});

void say(World& world, const base::Diagnostic& error);
void note(World& world, const Options& options, std::string_view text);
int exit_code(base::Fault fault);

}  // namespace vggplan::app
