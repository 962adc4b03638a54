// SPDX-License-Identifier: MIT
// Measured and published times, and the program's answers to the same questions.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "vggplan/base/estimated.hpp"
#include "vggplan/base/units.hpp"
#include "vggplan/timing/parallel.hpp"

namespace vggplan::accuracy {

struct TimeCompared {
  double measured{};  ///< seconds; 0 where the row has none
  base::Estimated<base::Seconds> predicted{};
  [[nodiscard]] double error() const { return predicted.value.count() / measured - 1.0; }
  [[nodiscard]] bool inside() const { return predicted.low.count() <= measured && measured <= predicted.high.count(); }
};

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
/// Timed with a calibration of `gpu`.
std::vector<TimedStep> timed_steps(const std::vector<std::string>& files, const hardware::Gpu& gpu,
                                   const timing::Calibration& calibration);

/// Steps that the calibration was fitted to, and those that it never saw.
const std::vector<TimedStep>& fitted_steps();
const std::vector<TimedStep>& unseen_steps();
/// Steps drawn at random over the whole interface, looked at when all else was done; and an earlier draw with networks
/// of other channels, which nothing was fitted to but which were read while rules were made.
const std::vector<TimedStep>& drawn_steps();
const std::vector<TimedStep>& earlier_steps();

/// Steps that leave the GPU idle, on a host that nothing was fitted to; and timed for what `host_add_us` says of it.
const std::vector<TimedStep>& host_steps();
std::vector<TimedStep> host_steps_at_their_speed(const std::string& file);

/// The same on an H100, timed with its own calibration, and with what is carried over to it from the H200.
std::vector<TimedStep> h100_fitted_steps();
std::vector<TimedStep> h100_unseen_steps();
std::vector<TimedStep> h100_carried_steps();

struct TimedRow {
  std::string label{};
  TimeCompared time{};
};
/// Steps and collectives on several GPUs. The calibration was fitted to two_gpus.jsonl.
std::vector<TimedRow> parallel_steps(const std::string& file);
std::vector<TimedRow> collectives(const std::string& file);
/// Seconds for one image of training loops with a DataLoader.
std::vector<TimedRow> loader_loops();

/// Rows of tests/data/published/<name>.
std::vector<nlohmann::json> published_rows(const std::string& name);
std::string published_label(const nlohmann::json& row);
/// What the program takes for a GPU that nobody measured.
timing::Calibration carried_to(const hardware::Gpu& gpu);
/// What the program says of a published step.
timing::ParallelTime published_time(const nlohmann::json& row);
/// Those of them that can be compared, of sources that carrying over was "fitted" to or that were "held out".
std::vector<TimedRow> published_steps(std::string_view use);

/// What another tool answered for the step of this label, in seconds; 0 where it was not asked.
double answer_of(const std::string& tool, const std::string& label);

}  // namespace vggplan::accuracy
