// SPDX-License-Identifier: MIT
// The stored calibration is what the fit makes of the stored measurements, and the fit carries over
// from small images to large ones and back.
#include <algorithm>
#include <cmath>
#include <iostream>
#include <iterator>

#include "accuracy/figures/time_rows.hpp"
#include "support/catch.hpp"
#include "vggplan/timing/step_time.hpp"

namespace {

using namespace vggplan;
using accuracy::Errors;

double relative(double a, double b) { return std::abs(a - b) / std::max(std::abs(b), 1e-30); }

/// The same but for the digits that are not stored and another compiler's arithmetic.
bool same_share(double a, double b) { return std::abs(a - b) < 1e-5 + 2e-3 * b; }

/// Pixels of the image whose layer this op is: VGG halves the sides with every doubling of the channels.
double image_pixels(const timing::Op& op) {
  const double widest = static_cast<double>(std::max({op.extent.c, op.extent.k, std::int64_t{64}}));
  const double halvings = std::log2(std::min(widest, 512.0) / 64.0);
  return static_cast<double>(op.extent.h * op.extent.w) * std::exp2(2.0 * halvings);
}

bool is_of_an_image(const timing::Op& op) { return op.extent.h * op.extent.w > 1; }

double pixels_of(const timing::StepSample& step) {
  const timing::Op& first = step.ops.front();
  // The first op casts the image or is its convolution.
  for (const timing::Op& op : step.ops) {
    if (op.kind == timing::OpKind::conv_forward) {
      return static_cast<double>(op.extent.h * op.extent.w);
    }
  }
  return static_cast<double>(first.extent.h * first.extent.w);
}

constexpr double kSplit = 1024.0 * 1024.0 * 1.01;

/// Errors of a calibration made from images on one side of the split, on steps of the other.
Errors cross(const timing::Samples& all, bool fit_small, const std::string& title) {
  timing::Samples part;
  std::copy_if(all.ops.begin(), all.ops.end(), std::back_inserter(part.ops), [&](const timing::OpSample& s) {
    return !is_of_an_image(s.op) || (image_pixels(s.op) <= kSplit) == fit_small;
  });
  std::copy_if(all.steps.begin(), all.steps.end(), std::back_inserter(part.steps),
               [&](const timing::StepSample& s) { return (pixels_of(s) <= kSplit) == fit_small; });
  const timing::Fit fit = timing::calibrate(accuracy::h200(), part);
  Errors errors(title);
  for (const timing::StepSample& step : all.steps) {
    const bool fp32 = std::any_of(step.ops.begin(), step.ops.end(), [](const timing::Op& op) {
      return op.kind == timing::OpKind::conv_forward && op.math == base::MathMode::fp32;
    });
    const bool chosen = fit_small ? pixels_of(step) > 1.2e7 && pixels_of(step) < 1.3e7 : pixels_of(step) <= kSplit;
    if (!fp32 && !step.chosen_by_trial && chosen) {
      errors.add(step.label, timing::step_time(step.ops, accuracy::h200(), fit.calibration).step.value.count(),
                 step.step.count());
    }
  }
  std::cout << errors.summary() << '\n';
  return errors;
}

}  // namespace

TEST_CASE("the stored calibration is the fit of the stored measurements") {
  const timing::Calibration fitted =
      timing::calibrate(accuracy::h200(), accuracy::samples(accuracy::calibration_files())).calibration;
  const timing::Calibration stored = accuracy::stored_calibration();
  constexpr double kDigits = 2e-3;
  REQUIRE(fitted.curves.size() == stored.curves.size());
  for (std::size_t i = 0; i < stored.curves.size(); ++i) {
    REQUIRE(fitted.curves[i].shape == stored.curves[i].shape);
    REQUIRE(fitted.curves[i].shares.size() == stored.curves[i].shares.size());
    for (std::size_t j = 0; j < stored.curves[i].shares.size(); ++j) {
      REQUIRE(same_share(fitted.curves[i].shares[j], stored.curves[i].shares[j]));
    }
  }
  REQUIRE(fitted.streams.size() == stored.streams.size());
  for (std::size_t i = 0; i < stored.streams.size(); ++i) {
    REQUIRE(fitted.streams[i].shape == stored.streams[i].shape);
    REQUIRE(relative(fitted.streams[i].uncached.count(), stored.streams[i].uncached.count()) < kDigits);
  }
  // A search over several coefficients at once may stop elsewhere after another rounding.
  constexpr double kSearch = 0.05;
  CHECK(relative(fitted.host.forward_op_seconds, stored.host.forward_op_seconds) < kSearch);
  CHECK(relative(fitted.host.backward_op_seconds, stored.host.backward_op_seconds) < kSearch);
  CHECK(relative(fitted.links.nvlink_share, stored.links.nvlink_share) < kDigits);
  CHECK(relative(fitted.links.overlap_share, stored.links.overlap_share) < kSearch);
  CHECK(relative(fitted.input.handover_seconds_per_byte, stored.input.handover_seconds_per_byte) < kDigits);
}

TEST_CASE("a calibration on images up to 1024x1024 times 4024x3036 within 5 %, and the other way round") {
  const timing::Samples all = accuracy::samples({"convolutions.jsonl", "operations.jsonl", "single_gpu.jsonl"});
  const Errors up = cross(all, true, "small to large");
  CHECK(up.count() > 20);
  CHECK(up.median() < 0.05);
  const Errors down = cross(all, false, "large to small");
  CHECK(down.count() > 40);
  CHECK(down.median() < 0.05);
}
