// SPDX-License-Identifier: MIT
// Step times against measured ones: fitted rows, rows that were never fitted to, several GPUs, loaders.
#include <algorithm>
#include <iostream>

#include "accuracy/figures/time_figures.hpp"
#include "accuracy/figures/time_rows.hpp"
#include "support/catch.hpp"

namespace {

using namespace vggplan;
using accuracy::Errors;
using accuracy::TimedStep;

/// Errors of the steps that are neither in true fp32 nor chosen by trial.
struct StepErrors {
  Errors step;
  Errors forward;
  Errors backward;
  Errors optimizer;
  Errors host_bound;
};

StepErrors errors_of(const std::vector<TimedStep>& steps, const std::string& title) {
  StepErrors errors{Errors(title), Errors(title + " forward"), Errors(title + " backward"),
                    Errors(title + " optimizer"), Errors(title + ", host-bound")};
  const auto add = [](Errors& to, const std::string& label, const accuracy::TimeCompared& time) {
    if (time.measured > 0.0) {
      to.add(label, time.predicted.value.count(), time.measured);
    }
  };
  for (const TimedStep& step : steps) {
    if (!step.free_choice) {
      add(step.host_bound ? errors.host_bound : errors.step, step.label, step.step);
      add(errors.forward, step.label, step.forward);
      add(errors.backward, step.label, step.backward);
      add(errors.optimizer, step.label, step.optimizer);
    }
  }
  for (const Errors* e : {&errors.step, &errors.forward, &errors.backward, &errors.optimizer, &errors.host_bound}) {
    std::cout << e->summary() << '\n';
  }
  return errors;
}

Errors errors_of(const std::vector<accuracy::TimedRow>& rows, const std::string& title) {
  Errors errors(title);
  for (const accuracy::TimedRow& row : rows) {
    errors.add(row.label, row.time.predicted.value.count(), row.time.measured);
  }
  std::cout << errors.summary() << '\n';
  return errors;
}

}  // namespace

TEST_CASE("steps on the calibrated GPU are timed within 2 % in the median, phases within 4 %") {
  const StepErrors errors = errors_of(accuracy::fitted_steps(), "fitted");
  CHECK(errors.step.count() > 90);
  CHECK(errors.step.median() < 0.02);
  CHECK(errors.step.worst() < 0.08);
  CHECK(errors.forward.median() < 0.04);
  CHECK(errors.backward.median() < 0.04);
  CHECK(errors.optimizer.median() < 0.04);
  // Each on a host of its own: the fastest of them took 3.4 ms, and 4.4 ms when it was run again.
  CHECK(errors.host_bound.median() < 0.15);
  for (const TimedStep& step : accuracy::fitted_steps()) {
    CHECK((!step.host_bound || step.step.inside()));
  }
}

TEST_CASE("steps that were never fitted to are timed as well") {
  const StepErrors errors = errors_of(accuracy::unseen_steps(), "unseen");
  CHECK(errors.step.count() > 120);
  CHECK(errors.step.median() < 0.02);
  CHECK(errors.step.worst() < 0.12);
  CHECK(errors.forward.median() < 0.04);
  CHECK(errors.backward.median() < 0.04);
  CHECK(errors.optimizer.median() < 0.04);
}

TEST_CASE("steps drawn over the whole interface are timed within 3 % in the median, and 95 of 100 are in the range") {
  const auto inside = [](const std::vector<TimedStep>& steps) {
    return std::count_if(steps.begin(), steps.end(), [](const TimedStep& step) { return step.step.inside(); });
  };
  const StepErrors drawn = errors_of(accuracy::drawn_steps(), "drawn");
  CHECK(accuracy::drawn_steps().size() == 143);
  CHECK(drawn.step.median() < 0.03);
  CHECK(inside(accuracy::drawn_steps()) * 100 >= 95 * 143);
  const StepErrors earlier = errors_of(accuracy::earlier_steps(), "an earlier draw, and other channels");
  CHECK(accuracy::earlier_steps().size() == 135);
  CHECK(earlier.step.median() < 0.04);
  CHECK(inside(accuracy::earlier_steps()) * 100 >= 95 * 135);
}

// What is left at its own speed is the host from one minute to the next.
TEST_CASE("a host that nothing was fitted to is timed within 10 % at its speed, and within the range without") {
  const std::vector<TimedStep>& steps = accuracy::host_steps();
  CHECK(steps.size() == 59);
  CHECK(errors_of(steps, "another host").host_bound.median() < 0.15);
  CHECK(errors_of(accuracy::host_steps_at_their_speed("host_issue_2.jsonl"), "another host, at its speed").host_bound.median() < 0.10);
  const auto inside =
      std::count_if(steps.begin(), steps.end(), [](const TimedStep& step) { return step.step.inside(); });
  CHECK(inside * 20 >= 19 * 59);
}

// scripts/measure.py is for people with another GPU: this is what its calibration is worth. Nothing but its two files
// was used. One step of 16 ms that waited for its host is off by half.
TEST_CASE("a GPU calibrated by scripts/measure.py is timed within 2 % in the median") {
  const StepErrors fitted = errors_of(accuracy::h100_fitted_steps(), "H100 fitted");
  CHECK(fitted.step.count() + fitted.host_bound.count() == 26);
  CHECK(fitted.step.median() < 0.02);
  const StepErrors unseen = errors_of(accuracy::h100_unseen_steps(), "H100 unseen");
  CHECK(unseen.step.count() + unseen.host_bound.count() == 69);
  CHECK(unseen.step.median() < 0.02);
}

TEST_CASE("a GPU that nobody measured is timed within 4 % in the median, and nearly always inside the range") {
  const std::vector<TimedStep> steps = accuracy::h100_carried_steps();
  const StepErrors errors = errors_of(steps, "H100 carried over");
  CHECK(errors.step.count() > 70);
  CHECK(errors.step.median() < 0.04);
  const auto inside =
      std::count_if(steps.begin(), steps.end(), [](const TimedStep& step) { return step.step.inside(); });
  CHECK(static_cast<std::size_t>(inside) + 2 >= steps.size());
}

TEST_CASE("true fp32 and cudnn.benchmark stay inside the range that is given") {
  std::size_t inside = 0;
  std::size_t all = 0;
  for (const auto* steps : {&accuracy::fitted_steps(), &accuracy::unseen_steps()}) {
    for (const TimedStep& step : *steps) {
      all += step.free_choice ? 1U : 0U;
      inside += step.free_choice && step.step.inside() ? 1U : 0U;
    }
  }
  CHECK(all > 15);
  CHECK(10 * inside >= 9 * all);
}

TEST_CASE("steps and collectives on two GPUs are timed within 4 % and 10 %") {
  const Errors steps = errors_of(accuracy::parallel_steps("two_gpus.jsonl"), "two GPUs");
  const Errors collectives = errors_of(accuracy::collectives("two_gpus.jsonl"), "collectives");
  CHECK(steps.count() > 15);
  CHECK(steps.worst() < 0.04);
  CHECK(collectives.median() < 0.10);
}

TEST_CASE("four GPUs, which nothing was fitted to, are timed within 4 % in the median") {
  const Errors steps = errors_of(accuracy::parallel_steps("four_gpus.jsonl"), "four GPUs");
  CHECK(steps.count() == 7);
  CHECK(steps.median() < 0.04);
  CHECK(steps.worst() < 0.10);  // FSDP2; DDP and ZeRO-1 stay below 3 %
  // Large buffers; small ones take a start, 33 to 40 microseconds of which the model makes 48.
  std::vector<accuracy::TimedRow> large = accuracy::collectives("four_gpus.jsonl");
  std::erase_if(large, [](const accuracy::TimedRow& row) { return row.time.measured < 100e-6; });
  const Errors collectives = errors_of(large, "large collectives of four");
  CHECK(collectives.count() > 20);
  CHECK(collectives.median() < 0.12);
}

TEST_CASE("training loops with a DataLoader are timed within 10 % in the median") {
  const Errors errors = errors_of(accuracy::loader_loops(), "loader");
  CHECK(errors.count() == 12);
  CHECK(errors.median() < 0.10);
  CHECK(errors.worst() < 0.25);
}
