// SPDX-License-Identifier: MIT
// Measured and published times, and the program's answers to the same questions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "accuracy/figures/memory_figures.hpp"
#include "vggplan/timing/calibrate.hpp"
#include "vggplan/timing/parallel.hpp"

namespace vggplan::accuracy {

/// The rows of some files of tests/data/measurements.
timing::Samples samples(const std::vector<std::string>& files, const std::string& gpu = kH200);

/// A measured step on one GPU.
struct TimedStep {
  std::string label{};
  std::string setting{};  ///< "amp-bf16 nhwc"
  bool free_choice{};     ///< true fp32 or cudnn.benchmark: cuDNN chooses among kernels that differ several-fold
  bool host_bound{};      ///< the GPU waits for the host: the clock of one CPU core decides
  TimeCompared step{};    ///< back to back
  TimeCompared forward{};
  TimeCompared backward{};
  TimeCompared optimizer{};
};
using TimedSteps = std::vector<TimedStep>;
/// Timed with the calibration of `gpu`.
TimedSteps timed_steps(const std::vector<std::string>& files, const std::string& gpu = kH200);

/// Steps that the calibration was fitted to, and those that it never saw.
const TimedSteps& fitted_steps();
const TimedSteps& unseen_steps();
/// Steps drawn at random over the whole interface, looked at when all else was done; and an earlier draw with networks
/// of other channels, which nothing was fitted to but which were read while rules were made.
const TimedSteps& drawn_steps();
const TimedSteps& earlier_steps();

/// Steps that leave the GPU idle, timed for what `host_add_us` says of their host.
TimedSteps host_steps_at_their_speed(const std::string& file);
/// Steps on an H100, timed with what is carried over to it from the H200.
TimedSteps h100_carried_steps();

/// Errors of the steps, or of one phase of them, that `holds` takes.
template <class Holds>
Errors errors_of(const TimedSteps& steps, Holds holds, TimeCompared TimedStep::*phase = &TimedStep::step) {
  Errors errors;
  for (const TimedStep& step : steps) {
    if ((step.*phase).measured.count() > 0.0 && holds(step)) {
      errors.add(step.label, step.*phase);
    }
  }
  return errors;
}
inline bool gpu_bound(const TimedStep& step) { return !step.free_choice && !step.host_bound; }
inline bool waits_for_host(const TimedStep& step) { return !step.free_choice && step.host_bound; }
inline bool chosen_freely(const TimedStep& step) { return step.free_choice; }
inline bool any(const TimedStep& /*step*/) { return true; }

struct TimedRow {
  std::string label{};
  TimeCompared time{};
};
Errors errors_of(const std::vector<TimedRow>& rows);
/// Steps and collectives on several GPUs. The calibration was fitted to two_gpus.jsonl.
std::vector<TimedRow> parallel_steps(const std::string& file);
std::vector<TimedRow> collectives(const std::string& file);
/// Seconds for one image of training loops with a DataLoader.
std::vector<TimedRow> loader_loops();

/// What the program takes for a GPU that nobody measured.
timing::Calibration carried_to(const hardware::Gpu& gpu);
/// Rows of tests/data/published/<name>.
std::vector<support::Row> published_rows(const std::string& name);
/// What the program says of a published step.
timing::ParallelTime published_time(const support::Row& row);
/// Those of them that can be compared, of sources that carrying over was "fitted" to or that were "held out".
std::vector<TimedRow> published_steps(std::string_view use);

}  // namespace vggplan::accuracy
