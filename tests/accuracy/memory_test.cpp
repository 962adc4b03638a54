// SPDX-License-Identifier: MIT
// Every measured step through the whole estimate; docs/accuracy.md has the figures.
#include "accuracy/figures/memory_figures.hpp"
#include "support/catch.hpp"

namespace vggplan::accuracy {
namespace {

void require_bars(const Steps& steps) {
  const Errors allocated = errors_of({&steps}, Peak::allocated);
  CHECK(allocated.median() <= 0.001);
  CHECK(allocated.worst() <= 0.01);
  CHECK(10 * allocated.within(1e-4) >= 7 * allocated.count());
  const Errors reserved = errors_of({&steps}, Peak::reserved);
  CHECK(reserved.median() <= 0.01);
  // Three in a hundred lie beside a border between two kernels, where the other may run.
  CHECK(reserved.worst() <= 0.13);
  CHECK(100 * reserved.within(0.08) >= 97 * reserved.count());
  for (const Peak peak : {Peak::first_step, Peak::after_forward, Peak::forward, Peak::backward, Peak::optimizer}) {
    INFO(base::name_of_enum(peak));
    CHECK(errors_of({&steps}, peak).worst() <= 0.015);
  }
}

TEST_CASE("allocated, reserved and phase peaks of the fitted steps") {
  REQUIRE(fitted_peaks().size() == 121);
  require_bars(fitted_peaks());
}

TEST_CASE("the same bounds hold on other sizes and settings") {
  REQUIRE(other_peaks().size() >= 140);
  require_bars(other_peaks());
}

TEST_CASE("steps drawn over the whole interface keep near what was measured, and those of an earlier draw") {
  REQUIRE(drawn_peaks().size() == 346);
  const Errors drawn = errors_of({&drawn_peaks()}, Peak::allocated);
  CHECK(10 * drawn.within(1e-4) >= 9 * drawn.count());
  REQUIRE(earlier_peaks().size() == 135);
  const Errors earlier = errors_of({&earlier_peaks()}, Peak::allocated);
  CHECK(100 * earlier.within(5e-3) >= 85 * earlier.count());
}

TEST_CASE("the rules, read off an H200, hold on an H100") {
  REQUIRE(h100_peaks().size() == 95);
  const Errors allocated = errors_of({&h100_peaks()}, Peak::allocated);
  CHECK(allocated.worst() <= 0.01);
  CHECK(10 * allocated.within(1e-4) >= 9 * allocated.count());
  const Errors reserved = errors_of({&h100_peaks()}, Peak::reserved);
  CHECK(reserved.median() <= 0.01);
  CHECK(reserved.worst() <= 0.1);
}

double width_of(const MemoryCompared& peak) { return peak.predicted.high.as_double() / peak.predicted.low.as_double(); }

TEST_CASE("on Hopper 95 of 100 peaks that no rule was made from are inside their ranges, and these are narrow") {
  for (const Steps* steps : {&other_peaks(), &h100_peaks()}) {
    for (const Peak which : {Peak::allocated, Peak::reserved}) {
      const Errors errors = errors_of({steps}, which);
      CHECK(100 * errors.inside() >= 95 * errors.count());
    }
    for (const Step& step : *steps) {
      INFO(step.label);
      const bool uncertain =
          step.label.find("_bn") != std::string::npos || step.label.find(" b1 ") != std::string::npos;
      const bool skips = uncertain && step.label.find("fp16") != std::string::npos;
      CHECK((step.free_choice || skips || width_of(step.peaks.at(Peak::allocated)) <= 1.03));
    }
  }
}

/// Drawn over the whole interface, and networks of other channels. No width was taken from them: those come from
/// other draws. 95 of 100 were aimed at.
TEST_CASE("of steps that no width was taken from nine in ten are inside their ranges") {
  for (const Steps* steps : {&drawn_peaks(), &earlier_peaks()}) {
    for (const Peak which : {Peak::allocated, Peak::reserved}) {
      const Errors errors = errors_of({steps}, which);
      CHECK(errors.count() >= 25);
      CHECK(10 * errors.inside() >= 9 * errors.count());
    }
  }
}

TEST_CASE(
    "where cuDNN is free to choose, 95 of 100 measured peaks are inside their ranges, and these are no wider than "
    "they must be") {
  for (const Peak which : {Peak::allocated, Peak::reserved}) {
    const Errors errors = errors_of({&fitted_peaks(), &other_peaks(), &drawn_peaks(), &earlier_peaks()}, which, true);
    CHECK(errors.count() > 60);
    CHECK(100 * errors.inside() >= 95 * errors.count());
  }
  for (const Steps* steps : {&fitted_peaks(), &other_peaks()}) {
    for (const Step& step : *steps) {
      INFO(step.label);
      CHECK((!step.free_choice || step.fft || width_of(step.peaks.at(Peak::allocated)) <= 3));
    }
  }
}

TEST_CASE("the largest batch under a limit is exact in 95 % of the cells and never too large") {
  const std::vector<BatchCell>& cells = batch_cells();
  REQUIRE(cells.size() == 35);
  std::size_t exact = 0;
  for (const BatchCell& cell : cells) {
    INFO(cell.label << " under " << cell.limit_gib << " GiB");
    exact += cell.hard == cell.measured ? 1U : 0U;
    CHECK(cell.hard <= cell.measured);
    CHECK(cell.steady <= cell.hard);
  }
  CHECK(100 * exact >= 95 * cells.size());
}

TEST_CASE("a batch that flushes in every step is never said to fit, and one that stops flushing is") {
  const std::vector<support::Row> rows = support::read_rows("capacity_steps.jsonl");
  REQUIRE(rows.size() == 6);
  for (const support::Row& row : rows) {
    INFO(support::label_of(row) << " under " << row.at("cap_gib") << " GiB");
    const auto answer = estimate::simulate_memory(support::job_of(row), target_under(row), support::known());
    const auto retries = row.at("retries_after_step").get<std::vector<std::int64_t>>();
    const bool flushed_last = retries.back() > retries[retries.size() - 2];
    CHECK(flushed_last == (answer.value().cache_flushes_per_step > 0));
  }
}

void require_ranks(const std::vector<RankPeak>& ranks) {
  constexpr double kGradients = 553648128;
  for (const RankPeak& rank : ranks) {
    const MemoryCompared& peak = rank.allocated;
    INFO(rank.label << " rank " << rank.rank << ": " << peak.measured.count() << " in [" << peak.predicted.low.count()
                    << ", " << peak.predicted.high.count() << "]");
    // Under ZeRO-1 ranks differ by the optimizer state of whole tensors. The answer is for the fullest; its range holds
    // the emptiest where that has both sets of gradients as well.
    const bool zero = rank.label.find("zero1") != std::string::npos;
    const bool must_hold = rank.fullest || !zero;
    CHECK((peak.inside() || !must_hold));
    CHECK(peak.measured <= peak.predicted.high);
    const double width = (peak.predicted.high - peak.predicted.low).as_double();
    CHECK(width <= (zero ? 2 : 1) * kGradients + 0.01 * peak.measured.as_double());
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
  for (const auto& [setting, share] : workspace_shares()) {
    if (setting.find("fp32") == std::string::npos) {
      rows += share.rows;
      close += share.close;
    }
  }
  CHECK(rows > 3000);
  CHECK(10 * close >= 9 * rows);
}

}  // namespace
}  // namespace vggplan::accuracy
