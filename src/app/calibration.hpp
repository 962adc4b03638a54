// SPDX-License-Identifier: MIT
// From measured rows to a calibration: where the words of a row become a job, and a job becomes ops.
#pragma once

#include <string>

#include "vggplan/base/result.hpp"
#include "vggplan/catalog/catalog.hpp"
#include "vggplan/catalog/measurements.hpp"
#include "vggplan/timing/calibrate.hpp"

namespace vggplan::app {

/// Everything that `rows` say about `gpu`, as the fit takes it. Steps and collectives on several GPUs are taken to
/// have run over the links that GPUs of this form have.
base::Result<timing::Samples> samples_of(const catalog::Measurements& rows, const hardware::Gpu& gpu,
                                         const catalog::Catalog& catalog);

/// Text for a person: what was fitted, how well, and on how many rows.
std::string describe(const timing::Fit& fit);

}  // namespace vggplan::app
