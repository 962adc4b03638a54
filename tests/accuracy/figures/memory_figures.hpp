// SPDX-License-Identifier: MIT
// Measured memory and the program's answers to the same questions.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "accuracy/figures/errors.hpp"
#include "support/known.hpp"
#include "support/measured.hpp"
#include "vggplan/memory/simulate.hpp"

namespace vggplan::accuracy {

/// The GPUs that were measured, each with a stored calibration; most on the first.
inline const std::string kH200 = "h200-sxm-141gb";
inline const std::string kH100 = "h100-sxm5-80gb";
estimate::Target measured_target();
/// The same where the allocator may reserve no more than the row's cap.
estimate::Target target_under(const support::Row& row);

/// Its tape replayed under that cap, for at least so many steps.
memory::Simulation simulated_under_cap(const support::Row& row, std::size_t steps);

/// One of the peaks that a row holds.
enum class Peak { allocated, reserved, first_step, after_forward, forward, backward, optimizer };

/// One measured step.
struct Step {
  std::string label{};
  job::Job job{};
  std::map<Peak, MemoryCompared> peaks{};
  bool free_choice{};      ///< true fp32 or cudnn.benchmark: cuDNN chooses among workspaces of any size
  bool fft{};              ///< an FFT workspace is possible
  bool skips_at_random{};  ///< GradScaler skips as many steps as the weights ask for
};
using Steps = std::vector<Step>;
Steps measured_steps(const std::vector<std::string>& files, const std::string& gpu);

/// Rows of the files that the rules of workspaces were made from, and of those taken to check them.
const Steps& fitted_peaks();
const Steps& other_peaks();
/// Steps drawn at random over the whole interface, looked at when all else was done; and an earlier draw with networks
/// of other channels, which nothing was fitted to but which were read while rules were made.
const Steps& drawn_peaks();
const Steps& earlier_peaks();
/// Steps on an H100, for which no rule was made.
const Steps& h100_peaks();

/// Errors of one peak over steps whose workspaces can be derived, or of which cuDNN has a free choice.
Errors errors_of(const std::vector<const Steps*>& lists, Peak peak, bool free_choice = false);

/// The largest batch under a limit.
struct BatchCell {
  std::string label{};
  std::int64_t limit_gib{};
  std::int64_t measured{};
  std::int64_t hard{};    ///< predicted, with cache flushes
  std::int64_t steady{};  ///< predicted, without
};
const std::vector<BatchCell>& batch_cells();

/// One rank of a step on several GPUs.
struct RankPeak {
  std::string label{};
  std::size_t rank{};
  bool fullest{};  ///< no other rank of the run peaked higher
  MemoryCompared allocated{};
};
std::vector<RankPeak> rank_peaks(const std::string& file);

/// Workspaces of single convolutions.
struct WorkspaceShare {
  std::size_t rows{};
  std::size_t equal{};  ///< within 4 KiB
  std::size_t close{};  ///< within 1 %, or 1 MiB
};
/// By "tf32 nchw".
std::map<std::string, WorkspaceShare> workspace_shares();

/// What another tool answered for the step of this label, in the unit of `key`; nothing where it was not asked.
std::optional<double> answer_of(const std::string& tool, const std::string& label, const char* key);

}  // namespace vggplan::accuracy
