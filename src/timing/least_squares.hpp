// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

namespace vggplan::timing {

/// Solution of a x = b for symmetric, positive definite `a`.
std::vector<double> solve(std::vector<std::vector<double>> a, std::vector<double> b);

/// Straight lines between equally spaced nodes through scattered points. A small weight on second
/// differences draws the line through nodes without points; points far off count less (Huber).
/// `x` in node units from the first node.
std::vector<double> fit_nodes(std::span<const double> x, std::span<const double> y, std::size_t nodes);

/// Non-negative c with least sum of (row . c - 1)^2: relative errors where each row was divided by
/// its measured value.
std::array<double, 3> fit_non_negative(std::span<const std::array<double, 3>> rows);

/// By which factor a search changes a coefficient: at first, and when it stops.
struct Stride {
  double first{};
  double last{};
};

/// Multiplies and divides one coefficient after the other for as long as that makes the loss less, with strides that
/// shrink when nothing does.
template <class Values, std::size_t N, class Loss>
Values search(Values best, const std::array<double Values::*, N>& coefficients, const Stride& strides, Loss loss) {
  double least = loss(best);
  for (double stride = strides.first; stride > strides.last;) {
    bool better = false;
    for (double Values::*const coefficient : coefficients) {
      for (const double factor : {stride, 1.0 / stride}) {
        Values candidate = best;
        candidate.*coefficient *= factor;
        if (const double value = loss(candidate); value < least) {
          least = value;
          best = candidate;
          better = true;
        }
      }
    }
    stride = better ? stride : 1.0 + 0.6 * (stride - 1.0);
  }
  return best;
}

double median(std::vector<double> values);  ///< 0 of nothing
double percentile(std::vector<double> values, double share);

}  // namespace vggplan::timing
