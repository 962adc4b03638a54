// SPDX-License-Identifier: MIT
// Solutions against what defines them: the equations, and that nothing near them is better.
#include "timing/least_squares.hpp"

#include <algorithm>
#include <cmath>
#include <random>

#include "unit/timing/fixtures.hpp"

namespace vggplan::timing {
namespace {

double uniform(std::mt19937& random, double low, double high) {
  return low + (high - low) * static_cast<double>(random() % 10'000) / 10'000.0;
}

/// The line through nodes at 0, 1, 2 ..., flat beyond them.
double line_at(const std::vector<double>& heights, double x) {
  const double last = static_cast<double>(heights.size() - 1);
  double sum = 0.0;
  for (std::size_t i = 0; i < heights.size(); ++i) {
    const double away = std::abs(std::min(std::max(x, 0.0), last) - static_cast<double>(i));
    sum += heights[i] * std::max(0.0, 1.0 - away);
  }
  return sum;
}

/// What the best line has least of: squares of misses, of those above 0.05 what is left of them (Huber); 0.03 of
/// the squares of bends and a ten-thousandth of those of slopes.
double loss_of(const std::vector<double>& heights, const std::vector<double>& x, const std::vector<double>& y) {
  double sum = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double miss = std::abs(y[i] - line_at(heights, x[i]));
    sum += miss <= 0.05 ? miss * miss : 0.05 * (2.0 * miss - 0.05);
  }
  for (std::size_t i = 0; i + 1 < heights.size(); ++i) {
    sum += 1e-4 * std::pow(heights[i + 1] - heights[i], 2);
    sum += i == 0 ? 0.0 : 0.03 * std::pow(heights[i + 1] - 2.0 * heights[i] + heights[i - 1], 2);
  }
  return sum;
}

void check_is_best(const std::vector<double>& heights, const std::vector<double>& x, const std::vector<double>& y,
                   double slope) {
  constexpr double kStep = 1e-3;
  for (std::size_t i = 0; i < heights.size(); ++i) {
    std::vector<double> more = heights;
    std::vector<double> less = heights;
    more[i] += kStep;
    less[i] -= kStep;
    CHECK((loss_of(more, x, y) - loss_of(less, x, y)) / (2.0 * kStep) == Approx(0.0).margin(slope));
  }
}

}  // namespace

TEST_CASE("no other line through nodes misses its points by less, with points beyond the ends and nodes without any") {
  std::mt19937 random(2);
  for (const std::size_t nodes : {1U, 2U, 3U, 4U, 7U}) {
    const auto last = static_cast<double>(nodes - 1);
    std::vector<double> x{0.0, last, -1.0, last + 0.5};
    for (int i = 0; i < 30; ++i) {
      const double at = uniform(random, 0.0, last);
      x.push_back(at > 2.0 && at < 4.0 ? 2.0 : at);
    }
    std::vector<double> y;
    for (const double at : x) {
      y.push_back(1.0 + 0.01 * at * at + uniform(random, -0.01, 0.01));
    }
    CAPTURE(nodes);
    check_is_best(fit_nodes(x, y, nodes), x, y, 1e-9);
    y[0] += 0.2;  // outliers, which count less
    y[7] += 3.0;
    y[9] -= 0.4;
    check_is_best(fit_nodes(x, y, nodes), x, y, 2e-3);
  }
}

TEST_CASE("of coefficients without a sign no others come nearer to one, tried on random rows") {
  std::mt19937 random(3);
  std::array<int, 4> left_out{};
  for (int round = 0; round < 300; ++round) {
    std::vector<std::array<double, 3>> rows(4 + random() % 5);
    const std::array<bool, 3> empty{random() % 6 == 0, random() % 6 == 0, random() % 6 == 0};
    for (auto& row : rows) {
      for (std::size_t i = 0; i < 3; ++i) {
        row[i] = empty[i] ? 0.0 : uniform(random, 0.0, 1.0) * (i == 2 ? 1e-3 : 1.0);
      }
    }
    const auto c = fit_non_negative(rows);
    int zeros = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      double slope = 0.0;
      for (const auto& row : rows) {
        slope += row[i] * (row[0] * c[0] + row[1] * c[1] + row[2] * c[2] - 1.0);
      }
      CAPTURE(round, i, c[i], slope);
      CHECK(c[i] >= 0.0);
      // More of a coefficient is never better, and less only where there is none of it.
      CHECK(slope >= -1e-9);
      CHECK((c[i] == 0.0 || slope <= 1e-9));
      zeros += c[i] == 0.0 ? 1 : 0;
    }
    ++left_out[static_cast<std::size_t>(zeros)];
  }
  CHECK(std::all_of(left_out.begin(), left_out.end() - 1, [](int n) { return n > 5; }));  // each case was met
}

TEST_CASE("percentiles lie on straight lines between the values in order") {
  const std::vector<double> values{9.0, 1.0, 4.0, 16.0, 0.0};
  const std::vector<double> sorted{0.0, 1.0, 4.0, 9.0, 16.0};
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    const double share = static_cast<double>(i) / 4.0;
    CHECK(percentile(values, share) == Approx(sorted[i]));
    if (i > 0) {
      CHECK(percentile(values, share - 0.05) == Approx(0.8 * sorted[i] + 0.2 * sorted[i - 1]));
    }
  }
  CHECK(median(values) == 4.0);
  CHECK(median({1.0, 2.0}) == 1.5);
  CHECK(median({}) == 0.0);
  CHECK(percentile({7.0}, 0.98) == 7.0);
}

}  // namespace vggplan::timing
