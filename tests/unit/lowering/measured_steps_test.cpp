// SPDX-License-Identifier: MIT
// Measured steps through the tape and the allocator, figure by figure. How far those are off that differ, and by what
// rule, tests/accuracy says; here as many as agree have to go on agreeing. A rule
// that gains some and loses others is to say so.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <string_view>

#include "support/catch.hpp"
#include "support/lowered.hpp"
#include "support/measured.hpp"
#include "vggplan/memory/simulate.hpp"

namespace vggplan::lowering {
namespace {

using base::Phase;
using memory::Simulation;

constexpr std::array kFigures{"peak_first_step", "peak",          "reserved",      "peak_fwd",     "peak_bwd",
                              "peak_opt",        "mem_after_fwd", "mem_after_bwd", "mem_after_opt"};

std::array<std::int64_t, kFigures.size()> figures_of(const Simulation& simulation) {
  const memory::StepMemory& step = simulation.steps.back();
  const auto peak = [&](Phase phase) { return step.phase_peak.at(static_cast<std::size_t>(phase)).count(); };
  const auto after = [&](Phase phase) { return step.after_phase.at(static_cast<std::size_t>(phase)).count(); };
  return {simulation.first_step_peak.count(),
          simulation.allocated_peak.count(),
          simulation.reserved_peak.count(),
          peak(Phase::forward),
          peak(Phase::backward),
          peak(Phase::optimizer),
          after(Phase::forward),
          after(Phase::backward),
          after(Phase::optimizer)};
}

Simulation simulated_step(const job::Job& job) {
  Device device;
  device.l2_cache = base::Bytes(62914560);
  memory::SimulationOptions options;
  options.allocator.rules = support::built_in_framework().allocator;
  options.allocator.expandable_segments = job.expandable_segments;
  return memory::simulate(support::tape_of(job, support::built_in_framework(), device), options);
}

/// How many steps of a file have each figure as measured, to the byte and to one in ten thousand.
struct Agreement {
  std::string_view file{};
  std::array<int, kFigures.size()> exact{};
  std::array<int, kFigures.size()> near{};
};

Agreement agreement_of(std::string_view file) {
  Agreement agreement{.file = file};
  for (const support::Row& row : support::read_rows(std::string(file))) {
    const auto figures = figures_of(simulated_step(support::job_of(row)));
    for (std::size_t i = 0; i < figures.size(); ++i) {
      const std::int64_t measured = row.value(kFigures.at(i), std::int64_t{0});
      const std::int64_t away = std::abs(figures.at(i) - measured);
      agreement.exact.at(i) += measured > 0 && away == 0 ? 1 : 0;
      agreement.near.at(i) += measured > 0 && away <= measured / 10000 ? 1 : 0;
    }
  }
  return agreement;
}

constexpr std::array kAgreements{
    Agreement{"single_gpu.jsonl",
              {111, 105, 107, 107, 104, 100, 109, 102, 102},
              {112, 112, 107, 111, 111, 106, 113, 105, 105}},
    Agreement{
        "range_steps.jsonl", {128, 122, 114, 121, 90, 84, 126, 92, 92}, {138, 134, 115, 130, 103, 93, 136, 93, 93}},
    Agreement{"random_steps_3.jsonl", {83, 82, 84, 84, 63, 52, 87, 63, 63}, {88, 88, 85, 88, 68, 65, 92, 66, 66}},
    Agreement{"random_steps_4.jsonl", {79, 76, 75, 80, 55, 44, 79, 57, 57}, {86, 81, 76, 83, 60, 59, 83, 58, 58}},
    Agreement{
        "random_steps_6.jsonl", {97, 98, 102, 104, 78, 67, 114, 83, 83}, {106, 106, 102, 107, 82, 84, 117, 84, 84}},
    Agreement{"random_steps_7.jsonl", {70, 66, 66, 68, 43, 40, 70, 47, 47}, {72, 69, 67, 71, 47, 48, 72, 48, 48}},
    Agreement{
        "drawn_steps.jsonl", {122, 114, 112, 121, 81, 72, 124, 84, 84}, {133, 129, 114, 132, 95, 87, 137, 87, 87}},
    Agreement{"other_networks.jsonl", {14, 13, 15, 16, 12, 15, 16, 16, 16}, {16, 14, 15, 17, 13, 15, 18, 17, 17}},
    Agreement{"scenarios.jsonl", {18, 17, 16, 20, 17, 18, 21, 18, 18}, {19, 18, 16, 20, 18, 18, 21, 18, 18}},
    Agreement{"eval_norms.jsonl", {3, 2, 2, 2, 2, 3, 1, 3, 3}, {4, 2, 2, 2, 2, 3, 1, 3, 3}},
    Agreement{"compiled_steps.jsonl", {7, 5, 11, 6, 3, 4, 7, 4, 4}, {13, 10, 11, 8, 7, 5, 13, 6, 6}},
    Agreement{"compiled_steps_held_out.jsonl", {2, 2, 4, 3, 1, 3, 3, 1, 1}, {10, 12, 4, 4, 7, 7, 7, 7, 7}},
};

TEST_CASE("measured steps that a tape tells just so, or to one in ten thousand, are no fewer than they were") {
  for (const Agreement& before : kAgreements) {
    const Agreement now = agreement_of(before.file);
    for (std::size_t i = 0; i < kFigures.size(); ++i) {
      INFO(before.file << ' ' << kFigures.at(i));
      CHECK(now.exact.at(i) >= before.exact.at(i));
      CHECK(now.near.at(i) >= before.near.at(i));
    }
  }
}

}  // namespace
}  // namespace vggplan::lowering
