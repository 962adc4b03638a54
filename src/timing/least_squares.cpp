// SPDX-License-Identifier: MIT
#include "timing/least_squares.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

namespace vggplan::timing {
namespace {

using Matrix = std::vector<std::vector<double>>;

/// Part of a point that a node stands for.
struct Part {
  std::size_t node{};
  double share{};
};

/// The nodes on either side of a point; beyond the last ones it counts as theirs.
std::array<Part, 2> parts_of(double x, std::size_t nodes) {
  const double inside = std::clamp(x, 0.0, static_cast<double>(nodes - 1));
  const double left = std::floor(inside);
  const double right_share = inside - left;
  return {{{static_cast<std::size_t>(left), 1.0 - right_share},
           {static_cast<std::size_t>(std::ceil(inside)), right_share}}};
}

double value_at(const std::vector<double>& heights, double x) {
  const auto [left, right] = parts_of(x, heights.size());
  return left.share * heights[left.node] + right.share * heights[right.node];
}

void add_smoothness(Matrix& a, std::size_t nodes) {
  constexpr double kBend = 0.03;  // weight of a bend against one point
  constexpr double kTie = 1e-4;   // keeps a node without any neighbour's points from being free
  for (std::size_t i = 0; i + 2 < nodes; ++i) {
    const std::array<double, 3> bend{1.0, -2.0, 1.0};
    for (std::size_t p = 0; p < 3; ++p) {
      for (std::size_t q = 0; q < 3; ++q) {
        a[i + p][i + q] += kBend * bend[p] * bend[q];
      }
    }
  }
  for (std::size_t i = 0; i + 1 < nodes; ++i) {
    a[i][i] += kTie;
    a[i + 1][i + 1] += kTie;
    a[i][i + 1] -= kTie;
    a[i + 1][i] -= kTie;
  }
}

std::vector<double> fit_weighted(std::span<const double> x, std::span<const double> y, std::span<const double> weights,
                                 std::size_t nodes) {
  Matrix a(nodes, std::vector<double>(nodes, 0.0));
  std::vector<double> b(nodes, 0.0);
  add_smoothness(a, nodes);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::array<Part, 2> parts = parts_of(x[i], nodes);
    for (const Part& p : parts) {
      for (const Part& q : parts) {
        a[p.node][q.node] += weights[i] * p.share * q.share;
      }
      b[p.node] += weights[i] * p.share * y[i];
    }
  }
  return solve(std::move(a), std::move(b));
}

}  // namespace

std::vector<double> solve(Matrix a, std::vector<double> b) {
  // Gaussian elimination; such a matrix needs no pivots.
  const std::size_t n = b.size();
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = i + 1; j < n; ++j) {
      const double factor = a[j][i] / a[i][i];
      for (std::size_t k = i; k < n; ++k) {
        a[j][k] -= factor * a[i][k];
      }
      b[j] -= factor * b[i];
    }
  }
  for (std::size_t i = n; i-- > 0;) {
    for (std::size_t k = i + 1; k < n; ++k) {
      b[i] -= a[i][k] * b[k];
    }
    b[i] /= a[i][i];
  }
  return b;
}

std::vector<double> fit_nodes(std::span<const double> x, std::span<const double> y, std::size_t nodes) {
  constexpr int kRounds = 6;
  constexpr double kUsual = 0.05;  // residuals above five per cent are outliers
  std::vector<double> weights(x.size(), 1.0);
  std::vector<double> heights;
  for (int round = 0; round < kRounds; ++round) {
    heights = fit_weighted(x, y, weights, nodes);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double residual = std::abs(y[i] - value_at(heights, x[i]));
      weights[i] = residual <= kUsual ? 1.0 : kUsual / residual;
    }
  }
  return heights;
}

namespace {

using Triple = std::array<double, 3>;

/// Least squares over some of the columns; the other coefficients are 0. No numbers where a column is empty.
Triple fit_columns(std::span<const Triple> rows, const std::vector<std::size_t>& columns) {
  Matrix a(columns.size(), std::vector<double>(columns.size(), 0.0));
  std::vector<double> b(columns.size(), 0.0);
  for (const Triple& row : rows) {
    for (std::size_t p = 0; p < columns.size(); ++p) {
      for (std::size_t q = 0; q < columns.size(); ++q) {
        a[p][q] += row[columns[p]] * row[columns[q]];
      }
      b[p] += row[columns[p]];
    }
  }
  Triple found{};
  const std::vector<double> c = solve(std::move(a), std::move(b));
  for (std::size_t p = 0; p < columns.size(); ++p) {
    found[columns[p]] = c[p];
  }
  return found;
}

double squares(std::span<const Triple> rows, const Triple& c) {
  double sum = 0.0;
  for (const Triple& row : rows) {
    const double r = row[0] * c[0] + row[1] * c[1] + row[2] * c[2] - 1.0;
    sum += r * r;
  }
  return sum;
}

}  // namespace

std::array<double, 3> fit_non_negative(std::span<const std::array<double, 3>> rows) {
  static const std::vector<std::vector<std::size_t>> kSubsets{{0}, {1}, {0, 1}, {2}, {0, 2}, {1, 2}, {0, 1, 2}};
  Triple best{};
  double least = std::numeric_limits<double>::infinity();
  for (const std::vector<std::size_t>& columns : kSubsets) {
    const Triple found = fit_columns(rows, columns);
    const bool feasible =
        std::all_of(found.begin(), found.end(), [](double v) { return v >= 0.0 && std::isfinite(v); });
    const double error = feasible ? squares(rows, found) : least;
    if (error < least) {
      least = error;
      best = found;
    }
  }
  return best;
}

double percentile(std::vector<double> values, double share) {
  if (values.empty()) {
    return 0.0;
  }
  std::sort(values.begin(), values.end());
  const double at = share * static_cast<double>(values.size() - 1);
  const auto left = static_cast<std::size_t>(at);
  const auto right = static_cast<std::size_t>(std::ceil(at));
  const double f = at - static_cast<double>(left);
  return (1.0 - f) * values[left] + f * values[right];
}

double median(std::vector<double> values) { return percentile(std::move(values), 0.5); }

}  // namespace vggplan::timing
