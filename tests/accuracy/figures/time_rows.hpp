// SPDX-License-Identifier: MIT
// Measured rows for the tests of time, and errors counted over them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "app/calibration.hpp"
#include "vggplan/catalog/catalog.hpp"
#include "vggplan/hardware/hardware.hpp"
#include "vggplan/timing/calibrate.hpp"

namespace vggplan::accuracy {

std::string read_data(const std::string& name);  ///< below tests/data
const catalog::Catalog& catalogue();
hardware::Gpu h200();
timing::Calibration stored_calibration();

/// The rows of some files of tests/data/measurements.
catalog::Measurements measurements(const std::vector<std::string>& files);
timing::Samples samples(const std::vector<std::string>& files);
/// The files that the stored calibration was fitted to.
std::vector<std::string> calibration_files();

/// Relative errors; prints each when VGGPLAN_PRINT_ROWS is set.
class Errors {
 public:
  explicit Errors(std::string title) : title_(std::move(title)) {}
  void add(const std::string& label, double modelled, double measured);
  [[nodiscard]] double median() const;
  [[nodiscard]] double worst() const;
  [[nodiscard]] std::size_t count() const { return errors_.size(); }
  [[nodiscard]] std::string summary() const;

 private:
  std::string title_{};
  std::vector<double> errors_{};
};

}  // namespace vggplan::accuracy
