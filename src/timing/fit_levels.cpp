// SPDX-License-Identifier: MIT
// Levels: factors on the time of groups of ops, by which whole steps differ from single ops.
#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "timing/fit.hpp"
#include "timing/least_squares.hpp"
#include "timing/rates.hpp"
#include "vggplan/timing/step_time.hpp"

namespace vggplan::timing {
namespace {

// Convolutions alone clock otherwise than in a step, lower on random numbers (in a step half of the activations and of
// their gradients are zero), higher where they are started one by one: a level for each of forward or gradient, 32 or
// 16 bits. Casts and reductions alone find their input in the cache; in a step they do not.
// The gap between two kernels is no op, but is found the same way.
constexpr std::size_t kCast = 4;
constexpr std::size_t kReduction = 5;
constexpr std::size_t kTurning = 6;  // and kTurning + 1 in 16 bits
constexpr std::size_t kGap = 8;
constexpr std::size_t kLevels = 9;
constexpr double kFirstGap = 0.6e-6;

using Levels = std::array<double, kLevels>;  ///< logarithms of the factors

/// Nothing for what is taken as it was measured.
std::optional<std::size_t> level_of(const ShapeClass& shape) {
  const std::size_t half = shape.element_bytes == 4 ? 0U : 1U;
  if (is_convolution(shape.kind) && shape.math == base::MathMode::fp32) {
    return std::nullopt;
  }
  if (is_convolution(shape.kind)) {
    return (shape.kind == OpKind::conv_forward ? 0U : 2U) + half;
  }
  if (shape.kind == OpKind::cast) {
    return kCast;
  }
  if (shape.variant == Variant::turned) {
    return kTurning + half;
  }
  return shape.kind == OpKind::bias_grad || is_linear(shape.kind) ? std::optional(kReduction) : std::nullopt;
}

/// One measured phase: seconds by level, seconds of all the rest, seconds measured.
struct Row {
  Levels by_level{};
  double rest{};
  double measured{};
};

void add_op(const Op& op, const hardware::Gpu& gpu, const Calibration& calibration, Row& row) {
  const double seconds = op_seconds(op, gpu, calibration).count();
  const double copies = copy_seconds(op, gpu, calibration);
  const std::optional<std::size_t> level = level_of(classify(op));
  (level ? row.by_level[*level] : row.rest) += seconds - copies;
  row.by_level[kTurning + (base::size_of(op.type) == 4 ? 0U : 1U)] += copies;
  row.by_level[kGap] += static_cast<double>(op.kernels) * kFirstGap;
}

/// Whether the phase is long enough not to wait for the host, and says something about convolutions.
bool is_telling(const Row& row) {
  constexpr double kShortest = 0.004;
  constexpr double kConvolutions = 0.2;
  double convolutions = 0.0;
  for (std::size_t i = 0; i < kCast; ++i) {
    convolutions += row.by_level[i];
  }
  return row.measured > kShortest && convolutions > kConvolutions * row.measured;
}

std::vector<Row> rows_of(std::span<const StepSample> steps, const hardware::Gpu& gpu, const Calibration& calibration) {
  std::vector<Row> rows;
  for (const StepSample& step : steps) {
    if (step.chosen_by_trial) {
      continue;
    }
    std::array<Row, 2> phases{};
    // A step on an idle GPU waits for its first kernels; back to back it does not.
    const double idle = (step.forward + step.backward + step.optimizer - step.step).count();
    phases[0].measured = step.forward.count() - std::max(0.0, idle);
    phases[1].measured = step.backward.count();
    for (const Op& op : step.ops) {
      if (op.phase != base::Phase::optimizer) {
        add_op(op, gpu, calibration, phases[op.phase == base::Phase::forward ? 0 : 1]);
      }
    }
    std::copy_if(phases.begin(), phases.end(), std::back_inserter(rows), is_telling);
  }
  return rows;
}

/// One round of Gauss and Newton on the squares of log(measured / modelled).
void improve(const std::vector<Row>& rows, std::vector<double>& levels) {
  constexpr double kPull = 0.1;    // towards no change, in rows
  constexpr double kUsual = 0.03;  // phases further off are those of other kernels, or wait for the host
  std::vector<std::vector<double>> a(kLevels, std::vector<double>(kLevels, 0.0));
  std::vector<double> b(kLevels);
  for (std::size_t i = 0; i < kLevels; ++i) {
    a[i][i] = kPull;
    b[i] = -kPull * levels[i];
  }
  for (const Row& row : rows) {
    Levels slope{};
    double modelled = row.rest;
    for (std::size_t i = 0; i < kLevels; ++i) {
      slope[i] = row.by_level[i] * std::exp(levels[i]);
      modelled += slope[i];
    }
    const double miss = std::log(row.measured / modelled);
    const double weight = std::abs(miss) <= kUsual ? 1.0 : kUsual / std::abs(miss);
    for (std::size_t i = 0; i < kLevels; ++i) {
      for (std::size_t j = 0; j < kLevels; ++j) {
        a[i][j] += weight * slope[i] * slope[j] / (modelled * modelled);
      }
      b[i] += weight * slope[i] / modelled * miss;
    }
  }
  const std::vector<double> change = solve(std::move(a), std::move(b));
  for (std::size_t i = 0; i < kLevels; ++i) {
    levels[i] += change[i];
  }
}

void apply_levels(const std::vector<double>& levels, Calibration& calibration) {
  const auto factor_of = [&](const ShapeClass& shape) {
    const std::optional<std::size_t> level = level_of(shape);
    return level ? std::exp(levels[*level]) : 1.0;
  };
  for (ShareCurve& curve : calibration.curves) {
    const double factor = factor_of(curve.shape);
    for (double& share : curve.shares) {
      share /= factor;
    }
  }
  for (StreamRate& rate : calibration.streams) {
    const double factor = factor_of(rate.shape);
    rate.cached = base::BytesPerSecond(rate.cached.count() / factor);
    rate.uncached = base::BytesPerSecond(rate.uncached.count() / factor);
  }
  calibration.host.gap_seconds = kFirstGap * std::exp(levels[kGap]);
}

}  // namespace

void fit_levels(std::span<const StepSample> steps, const hardware::Gpu& gpu, Calibration& calibration) {
  const std::vector<Row> rows = rows_of(steps, gpu, calibration);
  std::vector<double> levels(kLevels, 0.0);
  constexpr int kRounds = 5;  // the third changes nothing that is printed
  for (int round = 0; round < kRounds; ++round) {
    improve(rows, levels);
  }
  apply_levels(levels, calibration);
}

}  // namespace vggplan::timing
