// SPDX-License-Identifier: MIT
// Measured memory and the program's answers to the same questions.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "support/measured.hpp"
#include "vggplan/estimate/run.hpp"

namespace vggplan::accuracy {

/// What the program knows, and the GPU that everything was measured on.
const estimate::Knowledge& knowledge();
estimate::Target measured_target();

/// One of the peaks that a row holds.
enum class Peak { allocated, reserved, first_step, after_forward, forward, backward, optimizer };
inline constexpr std::size_t kPeaks = 7;
std::string_view name_of(Peak peak);

struct Compared {
  std::int64_t measured{};
  base::Estimated<base::Bytes> predicted{};
  [[nodiscard]] double error() const { return predicted.value.as_double() / static_cast<double>(measured) - 1; }
  [[nodiscard]] bool inside() const { return predicted.low.count() <= measured && measured <= predicted.high.count(); }
};

/// One measured step.
struct Step {
  std::string label{};
  job::Job job{};
  std::map<Peak, Compared> peaks{};
  bool free_choice{};      ///< true fp32 or cudnn.benchmark: cuDNN chooses among workspaces of any size
  bool fft{};              ///< an FFT workspace is possible
  bool skips_at_random{};  ///< GradScaler skips as many steps as the weights ask for
  std::optional<std::int64_t> torchinfo{};  ///< what other tools say of the same step
  std::optional<std::int64_t> mem_tracker{};
};
std::vector<Step> measured_steps(const std::vector<std::string>& files, std::string_view gpu);

/// Rows of the files that the rules of workspaces were made from, and of those taken to check them.
const std::vector<Step>& fitted_peaks();
const std::vector<Step>& other_peaks();
/// Steps drawn at random over the whole interface, looked at when all else was done; and an earlier draw with networks
/// of other channels, which nothing was fitted to but which were read while rules were made.
const std::vector<Step>& drawn_peaks();
const std::vector<Step>& earlier_peaks();
/// Steps on an H100, for which no rule was made.
const std::vector<Step>& h100_peaks();

/// Errors of one peak over some steps.
class Spread {
 public:
  void add(double error);
  [[nodiscard]] std::size_t count() const { return errors_.size(); }
  [[nodiscard]] double median() const;
  [[nodiscard]] double worst() const;
  [[nodiscard]] std::size_t within(double bound) const;
  /// Below the measurement by more than 0.01 %.
  [[nodiscard]] std::size_t under() const;

 private:
  std::vector<double> errors_{};
};
/// Over steps whose workspaces can be derived.
Spread spread_of(const std::vector<Step>& steps, Peak peak);

/// The largest batch under a limit.
struct BatchCell {
  std::string label{};
  std::int64_t limit_gib{};
  std::int64_t measured{};
  std::int64_t hard{};    ///< predicted, with cache flushes
  std::int64_t steady{};  ///< predicted, without
};
const std::vector<BatchCell>& batch_cells();

/// A batch under a limit, step by step.
struct CapacityRun {
  std::string label{};
  std::int64_t limit_gib{};
  std::int64_t flushes{};    ///< in the last measured step
  std::int64_t predicted{};  ///< per step, once settled
};
std::vector<CapacityRun> capacity_runs();

/// One rank of a step on several GPUs.
struct RankPeak {
  std::string label{};
  std::size_t rank{};
  bool fullest{};  ///< no other rank of the run peaked higher
  Compared allocated{};
  Compared reserved{};
};
std::vector<RankPeak> rank_peaks(const std::string& file);

/// Workspaces of single convolutions.
struct WorkspaceShare {
  std::string setting{};
  std::size_t rows{};
  std::size_t equal{};  ///< within 4 KiB
  std::size_t close{};  ///< within 1 %, or 1 MiB
};
std::vector<WorkspaceShare> workspace_shares();

}  // namespace vggplan::accuracy
