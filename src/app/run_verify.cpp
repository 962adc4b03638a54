// SPDX-License-Identifier: MIT
// verify: a plan against what a run of it left behind.
#include <fmt/format.h>

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
  const Asked asked = TRY(ask_again(flags_of(plan), world));
  timing::Calibration calibration = TRY(estimate::calibration_for(asked.question.target.gpu, asked.knowledge));
  timing::slow_down(calibration, *factor);
  return catalog::write_calibration(calibration);
}

/// The run's history against the tape of the plan's job, which is written again.
base::Result<runs::Replay> replayed(const Document& plan, const runs::Trace& trace, World& world) {
  const Asked asked = TRY(ask_again(flags_of(plan), world));
  const lowering::Framework& framework = asked.knowledge.framework;
  const estimate::Process process = TRY(estimate::process_of(asked.question.job, asked.question.target, framework));
  memory::AllocatorConfig allocator;
  allocator.rules = framework.allocator;
  return runs::replay(trace, process.tape, process.layers, report::workspace_slack(plan), allocator);
}

}  // namespace

base::Result<int> run_verify(const Request& request, World& world) {
  const Document plan = TRY(read_comparable(request.positionals.at(0), world));
  const std::string& path = request.positionals.at(1);
  const std::string bytes = TRY(world.read_file(path));
  const runs::Run run = TRY(runs::read_run(bytes, path));
  std::optional<runs::Replay> replay;
  if (run.trace) {
    const base::Result<runs::Replay> told = replayed(plan, *run.trace, world);
    if (told) {
      replay = *told;
    } else {
      note(world, request.options,
           fmt::format("the history is not replayed: {} {}", told.error().place, told.error().rule));
    }
  }
  const Document report = report::build_verify(plan, run, replay);
  const bool comparable = report.at("comparable").get<bool>();
  std::vector<TextFile> files;
  if (comparable && request.options.calibrate) {
    files.push_back({*request.options.calibrate, TRY(correction(plan, run, world))});
  }
  const int code = !comparable ? kWrongQuestion : report.at("passed").get<bool>() ? kYes : kNo;
  return deliver(report, request.options, world, code, std::move(files));
}

}  // namespace vggplan::app
