// SPDX-License-Identifier: MIT
// calibrate: from measured rows to configs/calibration/<gpu>.json.

#include <utility>

#include "app/calibration.hpp"
#include "app/output.hpp"
#include "app/run.hpp"
#include "app/session.hpp"
#include "vggplan/catalog/calibration.hpp"
#include "vggplan/catalog/catalog.hpp"
#include "vggplan/catalog/measurements.hpp"
#include "vggplan/timing/calibrate.hpp"

namespace vggplan::app {

namespace {

base::Result<catalog::Measurements> read_all(const std::vector<std::string>& paths, World& world) {
  catalog::Measurements all;
  for (const std::string& path : paths) {
    const std::string text = TRY(world.read_file(path));
    all = TRY(catalog::read_measurements(text, path, std::move(all)));
  }
  if (all.ops.empty()) {
    return base::wrong(paths.front(), "holds no measured operation",
                       "measure with scripts/measure.py, which writes operations and steps");
  }
  return all;
}

}  // namespace

base::Result<int> run_calibrate(const Request& request, World& world) {
  const auto catalog = TRY(load_catalog(request.options, world));
  if (!request.options.gpus) {
    return base::wrong("--gpu", "is needed: the GPU that was measured", "for example --gpu a100-sxm4-80gb");
  }
  const auto choice = TRY(catalog.find_gpu(*request.options.gpus, "--gpu"));
  const auto rows = TRY(read_all(request.positionals, world));
  const auto samples = TRY(samples_of(rows, choice.gpu, catalog));
  const timing::Fit fit = timing::calibrate(choice.gpu, samples);
  TRY(emit(catalog::write_calibration(fit.calibration), request.options, world));
  // The calibration is the result; what is said about it goes to the screen that is free.
  if (request.options.output) {
    TRY(emit(describe(fit), {}, world));
  } else {
    note(world, request.options, describe(fit));
  }
  return kYes;
}

}  // namespace vggplan::app
