// SPDX-License-Identifier: MIT
// Every measured step through the whole estimate; docs/accuracy.md has the figures.
#include <fmt/format.h>

#include <iostream>

#include "accuracy/figures/memory_figures.hpp"
#include "support/catch.hpp"

namespace vggplan::accuracy {
namespace {

void print(const std::string& title, Peak peak, const Spread& spread) {
  std::cout << fmt::format("{} {}: {} rows, median {:.4f} %, worst {:.3f} %, {} within 0.01 %, {} too low\n", title,
                           name_of(peak), spread.count(), 100 * spread.median(), 100 * spread.worst(),
                           spread.within(1e-4), spread.under());
}

void print_worst(const std::vector<Step>& steps, Peak peak, double bound) {
  for (const Step& step : steps) {
    const auto found = step.peaks.find(peak);
    if (!step.free_choice && found != step.peaks.end() && std::abs(found->second.error()) > bound) {
      std::cout << fmt::format("  {} {} {:+.3f} %\n", step.label, name_of(peak), 100 * found->second.error());
    }
  }
}

void require_bars(const std::string& title, const std::vector<Step>& steps) {
  INFO(title);
  const Spread allocated = spread_of(steps, Peak::allocated);
  print(title, Peak::allocated, allocated);
  CHECK(allocated.median() <= 0.001);
  CHECK(allocated.worst() <= 0.01);
  CHECK(static_cast<double>(allocated.within(1e-4)) >= 0.7 * static_cast<double>(allocated.count()));
  const Spread reserved = spread_of(steps, Peak::reserved);
  print(title, Peak::reserved, reserved);
  print_worst(steps, Peak::reserved, 0.05);
  CHECK(reserved.median() <= 0.01);
  // Three in a hundred lie beside a border between two kernels, where the other may run.
  CHECK(reserved.worst() <= 0.13);
  CHECK(static_cast<double>(reserved.within(0.08)) >= 0.97 * static_cast<double>(reserved.count()));
  for (const Peak peak : {Peak::first_step, Peak::after_forward, Peak::forward, Peak::backward, Peak::optimizer}) {
    const Spread phase = spread_of(steps, peak);
    print(title, peak, phase);
    INFO(name_of(peak));
    CHECK(phase.worst() <= 0.015);
  }
}

TEST_CASE("allocated, reserved and phase peaks of the fitted steps") {
  REQUIRE(fitted_peaks().size() == 121);
  require_bars("fitted", fitted_peaks());
}

TEST_CASE("the same bounds hold on other sizes and settings") {
  REQUIRE(other_peaks().size() >= 140);
  require_bars("others", other_peaks());
}

TEST_CASE("steps drawn over the whole interface keep near what was measured, and those of an earlier draw") {
  REQUIRE(drawn_peaks().size() == 346);
  const Spread drawn = spread_of(drawn_peaks(), Peak::allocated);
  print("drawn", Peak::allocated, drawn);
  print("drawn", Peak::reserved, spread_of(drawn_peaks(), Peak::reserved));
  CHECK(static_cast<double>(drawn.within(1e-4)) >= 0.9 * static_cast<double>(drawn.count()));
  REQUIRE(earlier_peaks().size() == 135);
  const Spread earlier = spread_of(earlier_peaks(), Peak::allocated);
  print("earlier", Peak::allocated, earlier);
  CHECK(static_cast<double>(earlier.within(5e-3)) >= 0.85 * static_cast<double>(earlier.count()));
}

TEST_CASE("the rules, read off an H200, hold on an H100") {
  REQUIRE(h100_peaks().size() == 95);
  const Spread allocated = spread_of(h100_peaks(), Peak::allocated);
  print("H100", Peak::allocated, allocated);
  CHECK(allocated.worst() <= 0.01);
  CHECK(static_cast<double>(allocated.within(1e-4)) >= 0.9 * static_cast<double>(allocated.count()));
  const Spread reserved = spread_of(h100_peaks(), Peak::reserved);
  print("H100", Peak::reserved, reserved);
  print_worst(h100_peaks(), Peak::reserved, 0.05);
  CHECK(reserved.median() <= 0.01);
  CHECK(reserved.worst() <= 0.1);
}

TEST_CASE("where cuDNN is free to choose, ranges hold what was measured, and are no wider than they must be") {
  std::size_t inside = 0;
  std::size_t count = 0;
  for (const auto* steps : {&fitted_peaks(), &other_peaks()}) {
    for (const Step& step : *steps) {
      if (!step.free_choice) {
        continue;
      }
      const Compared& peak = step.peaks.at(Peak::allocated);
      const double width = peak.predicted.high.as_double() / peak.predicted.low.as_double();
      std::cout << fmt::format(
          "  {}: {:.2f} GiB in [{:.2f}, {:.2f}]{}{}\n", step.label, static_cast<double>(peak.measured) / 1073741824.0,
          peak.predicted.low.as_double() / 1073741824.0, peak.predicted.high.as_double() / 1073741824.0,
          peak.inside() ? "" : " OUTSIDE", step.fft ? " (FFT possible)" : "");
      ++count;
      inside += peak.inside() ? 1U : 0U;
      INFO(step.label);
      CHECK((step.fft || width <= 3));
    }
  }
  CHECK(count >= 20);
  CHECK(static_cast<double>(inside) >= 0.9 * static_cast<double>(count));
}

TEST_CASE("on Hopper 95 of 100 peaks that no rule was made from are inside their ranges") {
  for (const auto* steps : {&other_peaks(), &h100_peaks()}) {
    for (const Peak which : {Peak::allocated, Peak::reserved}) {
      std::size_t count = 0;
      std::size_t inside = 0;
      for (const Step& step : *steps) {
        if (step.free_choice || !step.peaks.contains(which)) {
          continue;
        }
        const Compared& peak = step.peaks.at(which);
        INFO(step.label);
        const bool uncertain =
            step.label.find("_bn") != std::string::npos || step.label.find(" b1 ") != std::string::npos;
        const bool skips = uncertain && step.label.find("fp16") != std::string::npos;
        const double width = peak.predicted.high.as_double() / peak.predicted.low.as_double();
        CHECK((width <= 1.03 || which == Peak::reserved || skips));
        ++count;
        inside += peak.inside() ? 1U : 0U;
      }
      std::cout << fmt::format("{}: {} of {} inside\n", name_of(which), inside, count);
      CHECK(100 * inside >= 95 * count);
    }
  }
}

/// Drawn over the whole interface, and networks of other channels. No width was taken from them: those come from
/// other draws. 95 of 100 were aimed at.
TEST_CASE("of steps that no width was taken from nine in ten are inside their ranges") {
  for (const auto* steps : {&drawn_peaks(), &earlier_peaks()}) {
    for (const Peak which : {Peak::allocated, Peak::reserved}) {
      std::size_t count = 0;
      std::size_t inside = 0;
      for (const Step& step : *steps) {
        if (!step.free_choice && step.peaks.contains(which)) {
          ++count;
          inside += step.peaks.at(which).inside() ? 1U : 0U;
        }
      }
      std::cout << fmt::format("drawn, {}: {} of {} inside\n", name_of(which), inside, count);
      CHECK(count >= 25);
      CHECK(10 * inside >= 9 * count);
    }
  }
}

TEST_CASE("where cuDNN is free to choose, 95 of 100 measured peaks are inside their ranges") {
  for (const Peak which : {Peak::allocated, Peak::reserved}) {
    std::size_t count = 0;
    std::size_t inside = 0;
    for (const auto* steps : {&fitted_peaks(), &other_peaks(), &drawn_peaks(), &earlier_peaks()}) {
      for (const Step& step : *steps) {
        if (step.free_choice && step.peaks.contains(which)) {
          ++count;
          inside += step.peaks.at(which).inside() ? 1U : 0U;
        }
      }
    }
    std::cout << fmt::format("free choice, {}: {} of {} inside\n", name_of(which), inside, count);
    CHECK(count > 60);
    CHECK(100 * inside >= 95 * count);
  }
}

TEST_CASE("the largest batch under a limit is exact in 95 % of the cells and never too large") {
  const std::vector<BatchCell>& cells = batch_cells();
  REQUIRE(cells.size() == 35);
  std::size_t exact = 0;
  for (const BatchCell& cell : cells) {
    INFO(cell.label << " under " << cell.limit_gib << " GiB");
    exact += cell.hard == cell.measured ? 1U : 0U;
    if (cell.hard != cell.measured) {
      std::cout << fmt::format("  {} under {} GiB: measured {}, predicted {}\n", cell.label, cell.limit_gib,
                               cell.measured, cell.hard);
    }
    CHECK(cell.hard <= cell.measured);
    CHECK(cell.steady <= cell.hard);
  }
  std::cout << exact << " of " << cells.size() << " largest batches exact\n";
  CHECK(static_cast<double>(exact) >= 0.95 * static_cast<double>(cells.size()));
}

TEST_CASE("a batch that flushes in every step is never said to fit, and one that stops flushing is") {
  REQUIRE(capacity_runs().size() == 6);
  for (const CapacityRun& run : capacity_runs()) {
    INFO(run.label << " under " << run.limit_gib << " GiB");
    CHECK((run.flushes > 0) == (run.predicted > 0));
  }
}

void require_ranks(const std::vector<RankPeak>& ranks) {
  constexpr double kGradients = 553648128;
  for (const RankPeak& rank : ranks) {
    const Compared& peak = rank.allocated;
    INFO(rank.label << " rank " << rank.rank << ": " << peak.measured << " in [" << peak.predicted.low.count() << ", "
                    << peak.predicted.high.count() << "]");
    // Under ZeRO-1 ranks differ by the optimizer state of whole tensors. The answer is for the fullest; its range holds
    // the emptiest where that has both sets of gradients as well.
    const bool zero = rank.label.find("zero1") != std::string::npos;
    const bool must_hold = rank.fullest || !zero;
    CHECK((peak.inside() || !must_hold));
    CHECK(peak.measured <= peak.predicted.high.count());
    const double width = (peak.predicted.high - peak.predicted.low).as_double();
    CHECK(width <= (zero ? 2 : 1) * kGradients + 0.01 * static_cast<double>(peak.measured));
  }
}

TEST_CASE(
    "on several GPUs the fullest rank's peak is inside the range, which is at most one set of gradients wide, or two") {
  const std::vector<RankPeak> two = rank_peaks("two_gpus.jsonl");
  REQUIRE(two.size() == 60);
  require_ranks(two);
  const std::vector<RankPeak> four = rank_peaks("four_gpus.jsonl");  // no rule was made with these
  REQUIRE(four.size() == 40);
  require_ranks(four);
}

TEST_CASE("workspaces of single convolutions on tensor cores agree with what was recorded") {
  std::size_t rows = 0;
  std::size_t close = 0;
  for (const WorkspaceShare& share : workspace_shares()) {
    std::cout << fmt::format("  {}: {} rows, {} equal, {} close\n", share.setting, share.rows, share.equal,
                             share.close);
    if (share.setting.find("fp32") == std::string::npos) {
      rows += share.rows;
      close += share.close;
    }
  }
  CHECK(rows > 3000);
  CHECK(static_cast<double>(close) >= 0.9 * static_cast<double>(rows));
}

}  // namespace
}  // namespace vggplan::accuracy
