// SPDX-License-Identifier: MIT
#include "accuracy/figures/errors.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iostream>

#include "timing/least_squares.hpp"

namespace vggplan::accuracy {

namespace {

std::vector<double> sizes_of(std::vector<double> errors) {
  std::ranges::transform(errors, errors.begin(), [](double error) { return std::abs(error); });
  return errors;
}

}  // namespace

void Errors::add(const std::string& label, double predicted, double measured, bool inside) {
  errors_.push_back(predicted / measured - 1.0);
  inside_ += inside ? 1U : 0U;
  if (std::getenv("VGGPLAN_PRINT_ROWS") != nullptr) {
    std::cout << fmt::format("{:<62} {:>14.6g} {:>14.6g} {:>+8.2f} %\n", label, measured, predicted,
                             100.0 * errors_.back());
  }
}

double Errors::median() const { return timing::median(sizes_of(errors_)); }

double Errors::worst() const { return errors_.empty() ? 0.0 : std::ranges::max(sizes_of(errors_)); }

double Errors::bias() const { return timing::median(errors_); }

std::size_t Errors::within(double bound) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(errors_, [&](double error) { return std::abs(error) <= bound; }));
}

std::size_t Errors::under() const {
  constexpr double kRepeat = 1e-4;  // runs repeat to within this
  return static_cast<std::size_t>(std::ranges::count_if(errors_, [&](double error) { return error < -kRepeat; }));
}

}  // namespace vggplan::accuracy
