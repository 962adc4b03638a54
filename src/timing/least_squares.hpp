// SPDX-License-Identifier: MIT
#pragma once

#include <array>
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

double median(std::vector<double> values);  ///< 0 of nothing
double percentile(std::vector<double> values, double share);

}  // namespace vggplan::timing
