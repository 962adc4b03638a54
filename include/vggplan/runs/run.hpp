// SPDX-License-Identifier: MIT
// What a training run left behind, read from the files that people have. A run tells what its format tells; the rest
// is absent.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vggplan/base/names.hpp"
#include "vggplan/base/result.hpp"

namespace vggplan::runs {

enum class Format {
  run_records,      ///< run.jsonl of train.py
  memory_stats,     ///< torch.cuda.memory_stats() as JSON
  memory_snapshot,  ///< torch.cuda.memory._dump_snapshot
  lightning_csv,    ///< CSVLogger with DeviceStatsMonitor
  nvidia_smi_csv,   ///< nvidia-smi --query-gpu=... --format=csv
};

/// One entry of a snapshot's history, of the device that has most of them.
struct TraceEvent {
  enum class Kind : std::uint8_t { allocate, release, reserve, give_back };
  Kind kind{Kind::allocate};
  std::uint8_t stream{0};  ///< in the order of first use
  std::int64_t bytes{0};   ///< as asked for
  std::int64_t address{0};
};

struct Trace {
  std::vector<TraceEvent> events{};
  bool expandable_segments{false};
  bool too_many_streams{false};  ///< more than the allocator's model has
};

struct Run {
  Format format{};
  /// Names and values as in the job of a report; `gpu` and `gpu_memory_bytes` are what the driver says.
  std::vector<std::pair<std::string, std::string>> settings{};
  /// By their names in run.jsonl: "allocated_peak_bytes", "step_seconds", ... Peaks are the largest seen, times the
  /// median after the first record.
  std::map<std::string, double, std::less<>> figures{};
  std::optional<Trace> trace{};
  std::string torch{};  ///< its version
  bool resumed{false};  ///< the first step that it tells of comes late: optimizer state was there before it
};

/// Formats are told by content, whatever the file is called. Errors name `place`, and the line where there are any.
base::Result<Run> read_run(std::string_view bytes, std::string_view place);

}  // namespace vggplan::runs
