// SPDX-License-Identifier: MIT
// Step times against measured ones: fitted rows, rows that were never fitted to, several GPUs, loaders.
#include <algorithm>

#include "accuracy/figures/time_figures.hpp"
#include "support/catch.hpp"

namespace vggplan::accuracy {
namespace {

void require_phases(const TimedSteps& steps) {
  const auto derivable = [](const TimedStep& step) { return !step.free_choice; };
  for (const auto phase : {&TimedStep::forward, &TimedStep::backward, &TimedStep::optimizer}) {
    CHECK(errors_of(steps, derivable, phase).median() < 0.04);
  }
}

TEST_CASE("steps on the calibrated GPU are timed within 2 % in the median, phases within 4 %") {
  const Errors errors = errors_of(fitted_steps(), gpu_bound);
  CHECK(errors.count() > 90);
  CHECK(errors.median() < 0.02);
  CHECK(errors.worst() < 0.08);
  require_phases(fitted_steps());
  // Each on a host of its own: the fastest of them took 3.4 ms, and 4.4 ms when it was run again.
  const Errors waiting = errors_of(fitted_steps(), waits_for_host);
  CHECK(waiting.median() < 0.15);
  CHECK(waiting.inside() == waiting.count());
}

TEST_CASE("steps that were never fitted to are timed as well") {
  const Errors errors = errors_of(unseen_steps(), gpu_bound);
  CHECK(errors.count() > 120);
  CHECK(errors.median() < 0.02);
  CHECK(errors.worst() < 0.12);
  require_phases(unseen_steps());
}

TEST_CASE("steps drawn over the whole interface are timed within 3 % in the median, and 95 of 100 are in the range") {
  CHECK(drawn_steps().size() == 346);
  CHECK(errors_of(drawn_steps(), gpu_bound).median() < 0.03);
  CHECK(errors_of(drawn_steps(), any).inside() * 100 >= 95 * 346);
  CHECK(earlier_steps().size() == 135);
  CHECK(errors_of(earlier_steps(), gpu_bound).median() < 0.04);
  CHECK(errors_of(earlier_steps(), any).inside() * 100 >= 95 * 135);
}

// What is left at its own speed is the host from one minute to the next.
TEST_CASE("a host that nothing was fitted to is timed within 10 % at its speed, and within the range without") {
  const TimedSteps steps = timed_steps({"host_issue_2.jsonl"});
  CHECK(steps.size() == 59);
  CHECK(errors_of(steps, waits_for_host).median() < 0.15);
  CHECK(errors_of(host_steps_at_their_speed("host_issue_2.jsonl"), waits_for_host).median() < 0.10);
  CHECK(errors_of(steps, any).inside() * 20 >= 19 * 59);
}

// scripts/measure.py is for people with another GPU: this is what its calibration is worth. Nothing but its two files
// was used. One step of 16 ms that waited for its host is off by half.
TEST_CASE("a GPU calibrated by scripts/measure.py is timed within 2 % in the median") {
  for (const auto& [file, count] : {std::pair("h100_steps.jsonl", 26U), std::pair("h100_random_steps.jsonl", 69U)}) {
    const TimedSteps steps = timed_steps({file}, kH100);
    const Errors errors = errors_of(steps, gpu_bound);
    CHECK(errors.count() + errors_of(steps, waits_for_host).count() == count);
    CHECK(errors.median() < 0.02);
  }
}

TEST_CASE("a GPU that nobody measured is timed within 4 % in the median, and nearly always inside the range") {
  const TimedSteps steps = h100_carried_steps();
  const Errors errors = errors_of(steps, gpu_bound);
  CHECK(errors.count() > 70);
  CHECK(errors.median() < 0.04);
  CHECK(errors_of(steps, any).inside() + 2 >= steps.size());
}

TEST_CASE("true fp32 and cudnn.benchmark stay inside the range that is given") {
  const Errors fitted = errors_of(fitted_steps(), chosen_freely);
  const Errors unseen = errors_of(unseen_steps(), chosen_freely);
  const std::size_t all = fitted.count() + unseen.count();
  CHECK(all > 15);
  CHECK(10 * (fitted.inside() + unseen.inside()) >= 9 * all);
}

TEST_CASE("steps and collectives on two GPUs are timed within 4 % and 10 %") {
  const Errors steps = errors_of(parallel_steps("two_gpus.jsonl"));
  CHECK(steps.count() > 15);
  CHECK(steps.worst() < 0.04);
  CHECK(errors_of(collectives("two_gpus.jsonl")).median() < 0.10);
}

TEST_CASE("four GPUs, which nothing was fitted to, are timed within 4 % in the median") {
  const Errors steps = errors_of(parallel_steps("four_gpus.jsonl"));
  CHECK(steps.count() == 7);
  CHECK(steps.median() < 0.04);
  CHECK(steps.worst() < 0.10);  // FSDP2; DDP and ZeRO-1 stay below 3 %
  // Large buffers; small ones take a start, 33 to 40 microseconds of which the model makes 48.
  std::vector<TimedRow> large = collectives("four_gpus.jsonl");
  std::erase_if(large, [](const TimedRow& row) { return row.time.measured.count() < 100e-6; });
  const Errors errors = errors_of(large);
  CHECK(errors.count() > 20);
  CHECK(errors.median() < 0.12);
}

TEST_CASE("training loops with a DataLoader are timed within 10 % in the median") {
  const Errors errors = errors_of(loader_loops());
  CHECK(errors.count() == 12);
  CHECK(errors.median() < 0.10);
  CHECK(errors.worst() < 0.25);
}

}  // namespace
}  // namespace vggplan::accuracy
