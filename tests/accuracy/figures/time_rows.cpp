// SPDX-License-Identifier: MIT
#include "accuracy/figures/time_rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <stdexcept>

#include "app/calibration.hpp"
#include "support/files.hpp"
#include "timing/least_squares.hpp"
#include "vggplan/catalog/calibration.hpp"

namespace vggplan::accuracy {

namespace {

template <class T>
T checked(base::Result<T> result) {
  if (!result) {
    throw std::runtime_error(result.error().place + ": " + result.error().rule);
  }
  return *std::move(result);
}

}  // namespace

std::string read_data(const std::string& name) { return test::repository_file("tests/data/" + name); }

const catalog::Catalog& catalogue() {
  static const catalog::Catalog kCatalog = catalog::Catalog::built_in();
  return kCatalog;
}

hardware::Gpu gpu_named(std::string_view name) { return checked(catalogue().gpu(std::string(name))); }

timing::Calibration stored_calibration(std::string_view gpu) {
  const std::string name(gpu);
  return checked(catalog::read_calibration(checked(catalogue().text("calibration", name)), name + ".json"));
}

catalog::Measurements measurements(const std::vector<std::string>& files) {
  catalog::Measurements all;
  for (const std::string& file : files) {
    all = checked(catalog::read_measurements(read_data("measurements/" + file), file, std::move(all)));
  }
  return all;
}

timing::Samples samples(const std::vector<std::string>& files, std::string_view gpu) {
  return checked(app::samples_of(measurements(files), gpu_named(gpu), catalogue()));
}

std::vector<std::string> calibration_files(std::string_view gpu) {
  if (gpu == kH100) {
    return {"h100_operations.jsonl", "h100_steps.jsonl"};
  }
  return {"convolutions.jsonl", "convolutions_2.jsonl",   "convolutions_3.jsonl", "operations.jsonl",
          "single_gpu.jsonl",   "host_bound_steps.jsonl", "two_gpus.jsonl",       "input_pipeline.jsonl",
          "data_loader.jsonl",  "channels.jsonl",         "small_maps.jsonl",     "huge_maps.jsonl",
          "huge_norms.jsonl",   "drawn_steps.jsonl",      "range_steps.jsonl",    "host_issue.jsonl",
          "other_kernels.jsonl"};
}

void Errors::add(const std::string& label, double modelled, double measured) {
  const double error = modelled / measured - 1.0;
  errors_.push_back(std::abs(error));
  signed_.push_back(error);
  if (std::getenv("VGGPLAN_PRINT_ROWS") != nullptr) {
    std::cout << fmt::format("{:<24} {:<62} {:>11.3f} {:>11.3f} {:>+7.1f}%\n", title_, label, 1e3 * measured,
                             1e3 * modelled, 100.0 * error);
  }
}

double Errors::median() const { return timing::median(errors_); }

double Errors::bias() const { return timing::median(signed_); }

double Errors::worst() const { return errors_.empty() ? 0.0 : *std::ranges::max_element(errors_); }

std::string Errors::summary() const {
  return fmt::format("{}: {} rows, median {:.1f} %, worst {:.1f} %, bias {:+.1f} %", title_, count(), 100.0 * median(),
                     100.0 * worst(), 100.0 * bias());
}

}  // namespace vggplan::accuracy
