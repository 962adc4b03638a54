// SPDX-License-Identifier: MIT
// verify: a plan against what a run of it left behind.
#include <fmt/format.h>

#include "app/asked_again.hpp"
#include "app/output.hpp"
#include "app/reports.hpp"
#include "app/run.hpp"
#include "vggplan/catalog/calibration.hpp"
#include "vggplan/catalog/catalog.hpp"
#include "vggplan/report/build.hpp"
#include "vggplan/timing/calibration.hpp"

namespace vggplan::app {

namespace {

using report::Document;

/// The calibration that the plan was timed with, slowed down to what the run took.
base::Result<std::string> correction(const Document& plan, const runs::Run& run, World& world) {
  const std::optional<double> factor = report::slowdown(plan, run);
  if (!factor) {
    return base::wrong("--calibrate", "needs times, of which the run tells none", "take run.jsonl of train.py");
  }
  const catalog::Catalog catalog = catalog::Catalog::built_in();
  const base::Result<AskedAgain> asked = ask_again(flags_of(plan), catalog, world);
  if (!asked) {
    return asked.error();
  }
  base::Result<timing::Calibration> calibration =
      estimate::calibration_for(asked->question.target.gpu, asked->knowledge);
  if (!calibration) {
    return calibration.error();
  }
  timing::slow_down(*calibration, *factor);
  return catalog::write_calibration(*calibration);
}

/// The run's history against the tape of the plan's job, which is written again.
base::Result<runs::Replay> replayed(const Document& plan, const runs::Trace& trace, World& world) {
  const catalog::Catalog catalog = catalog::Catalog::built_in();
  const base::Result<AskedAgain> asked = ask_again(flags_of(plan), catalog, world);
  if (!asked) {
    return asked.error();
  }
  const lowering::Framework& framework = asked->knowledge.framework;
  const base::Result<estimate::Process> process =
      estimate::process_of(asked->question.job, asked->question.target, framework);
  if (!process) {
    return process.error();
  }
  memory::AllocatorConfig allocator;
  allocator.rules = framework.allocator;
  return runs::replay(trace, process->tape, process->layers, report::workspace_slack(plan), allocator);
}

}  // namespace

base::Result<int> run_verify(const Request& request, World& world) {
  const base::Result<Document> plan = read_comparable(request.positionals.at(0), world);
  if (!plan) {
    return plan.error();
  }
  const std::string& path = request.positionals.at(1);
  const base::Result<std::string> bytes = world.read_file(path);
  if (!bytes) {
    return bytes.error();
  }
  const base::Result<runs::Run> run = runs::read_run(*bytes, path);
  if (!run) {
    return run.error();
  }
  std::optional<runs::Replay> replay;
  if (run->trace) {
    const base::Result<runs::Replay> told = replayed(*plan, *run->trace, world);
    if (told) {
      replay = *told;
    } else {
      note(world, request.options,
           fmt::format("the history is not replayed: {} {}", told.error().place, told.error().rule));
    }
  }
  const Document report = report::build_verify(*plan, *run, replay);
  const bool comparable = report.at("comparable").get<bool>();
  std::vector<TextFile> files;
  if (comparable && request.options.calibrate) {
    base::Result<std::string> slower = correction(*plan, *run, world);
    if (!slower) {
      return slower.error();
    }
    files.push_back({*request.options.calibrate, std::move(*slower)});
  }
  if (base::Status error = deliver(report, request.options, world, std::move(files))) {
    return *error;
  }
  return !comparable ? kWrongQuestion : report.at("passed").get<bool>() ? kYes : kNo;
}

}  // namespace vggplan::app
