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
/// The GPUs that were measured, each with a stored calibration.
inline constexpr std::string_view kH200 = "h200-sxm-141gb";
inline constexpr std::string_view kH100 = "h100-sxm5-80gb";
hardware::Gpu gpu_named(std::string_view name);
timing::Calibration stored_calibration(std::string_view gpu = kH200);

/// The rows of some files of tests/data/measurements.
catalog::Measurements measurements(const std::vector<std::string>& files);
timing::Samples samples(const std::vector<std::string>& files, std::string_view gpu = kH200);
/// The files that the stored calibration of the GPU was fitted to.
std::vector<std::string> calibration_files(std::string_view gpu);

/// Relative errors; prints each when VGGPLAN_PRINT_ROWS is set.
class Errors {
 public:
  explicit Errors(std::string title) : title_(std::move(title)) {}
  void add(const std::string& label, double modelled, double measured);
  [[nodiscard]] double median() const;
  [[nodiscard]] double worst() const;
  [[nodiscard]] double bias() const;  ///< median with its sign
  [[nodiscard]] std::size_t count() const { return errors_.size(); }
  [[nodiscard]] std::string summary() const;

 private:
  std::string title_{};
  std::vector<double> errors_{};
  std::vector<double> signed_{};
};

}  // namespace vggplan::accuracy
