// SPDX-License-Identifier: MIT
// Fitted coefficients of a GPU, configs/calibration/<gpu>.json: read, and written by the calibrate command.
#pragma once

#include <string>

#include "vggplan/base/result.hpp"
#include "vggplan/catalog/record_file.hpp"
#include "vggplan/timing/calibration.hpp"

namespace vggplan::catalog {

base::Result<timing::Calibration> read_calibration(const RecordFile& file);

/// One curve a line, in the order of the calibration: the same fit gives the same bytes.
std::string write_calibration(const timing::Calibration& calibration);

}  // namespace vggplan::catalog
