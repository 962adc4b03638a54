// SPDX-License-Identifier: MIT
// One reader for each format.
#pragma once

#include <array>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "vggplan/base/csv.hpp"
#include "vggplan/runs/run.hpp"

namespace vggplan::runs {

using Json = nlohmann::ordered_json;

/// What a tool calls a figure, and what run.jsonl does.
struct Meaning {
  std::string_view name{};
  std::string_view figure{};
  double unit{1};
};
/// Of torch.cuda.memory_stats(), which Lightning logs as well.
inline constexpr std::array kStatistics{Meaning{"allocated_bytes.all.peak", "allocated_peak_bytes"},
                                        Meaning{"reserved_bytes.all.peak", "reserved_peak_bytes"},
                                        Meaning{"num_alloc_retries", "allocation_retries"},
                                        Meaning{"num_ooms", "out_of_memory"}};

bool looks_like_snapshot(std::string_view bytes);
bool looks_like_table(std::string_view text);

base::Result<Run> read_records(std::string_view text, std::string_view place);
base::Result<Run> read_statistics(const Json& object, std::string_view place);
base::Result<Run> read_snapshot(std::string_view bytes, std::string_view place);
base::Result<Run> read_table(std::string_view text, std::string_view place);

/// What `value` tells as a figure: a finite number from 0 to 10^18, or an error at `place`.
base::Result<double> figure_of(const Json& value, std::string_view place, std::string_view name);

/// The larger of what is known and `value`.
void keep_largest(Run& run, std::string_view name, double value);
double median(std::vector<double> values);

using base::Line;
using base::next_line;
using base::trimmed;

}  // namespace vggplan::runs
