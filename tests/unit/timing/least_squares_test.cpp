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

TEST_CASE("what is solved solves the equations, tried on random matrices") {
  std::mt19937 random(1);
  for (std::size_t n = 1; n <= 6; ++n) {
    std::vector<std::vector<double>> root(n, std::vector<double>(n));
    for (auto& row : root) {
      for (double& value : row) {
        value = uniform(random, -1.0, 1.0);
      }
    }
    std::vector<std::vector<double>> a(n, std::vector<double>(n, 0.0));
    std::vector<double> b(n);
    for (std::size_t i = 0; i < n; ++i) {
      b[i] = uniform(random, -5.0, 5.0);
      a[i][i] = 0.3;
      for (std::size_t j = 0; j < n; ++j) {
        for (std::size_t k = 0; k < n; ++k) {
          a[i][j] += root[k][i] * root[k][j];
        }
      }
    }
    const std::vector<double> x = solve(a, b);
    for (std::size_t i = 0; i < n; ++i) {
      double sum = 0.0;
      for (std::size_t j = 0; j < n; ++j) {
        sum += a[i][j] * x[j];
      }
      CHECK(sum == Approx(b[i]));
    }
  }
}

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

TEST_CASE("a search ends where no coefficient is better by its last stride, from either side") {
  struct Values {
    double a{1.0};
    double b{1.0};
    double untouched{1.0};
  };
  for (const double a : {0.02, 1.0, 30.0}) {
    for (const double b : {0.5, 700.0}) {
      int calls = 0;
      const auto loss = [&, a = a, b = b](const Values& values) {
        ++calls;
        const double x = std::log(values.a / a);
        const double y = std::log(values.b / b);
        return x * x + y * y + 0.5 * x * y + values.untouched;
      };
      const Values found =
          search(Values{}, std::array{&Values::a, &Values::b}, Stride{.first = 1.6, .last = 1.01}, loss);
      CHECK(found.a == Approx(a).epsilon(0.01));
      CHECK(found.b == Approx(b).epsilon(0.01));
      CHECK(found.untouched == 1.0);
      CHECK(calls < 400);
    }
  }
}

}  // namespace vggplan::timing
