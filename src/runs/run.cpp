// SPDX-License-Identifier: MIT
#include "vggplan/runs/run.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "runs/readers.hpp"
#include "vggplan/base/json_text.hpp"

namespace vggplan::runs {

namespace {

constexpr const char* kFormats =
    "verify reads run.jsonl of train.py, torch.cuda.memory_stats() as JSON, files of torch.cuda.memory._dump_snapshot, "
    "Lightning's metrics.csv and CSV of nvidia-smi";

bool is_blank(std::string_view text) { return trimmed(text).empty(); }

/// Whether more than the first line is there: JSON Lines, rather than one object on however many lines.
bool begins_with_record(std::string_view text) {
  const std::string_view first = trimmed(next_line(text).text);
  return first.starts_with('{') && first.ends_with('}') && first.find("\"kind\"") != std::string_view::npos;
}

}  // namespace

base::Result<double> figure_of(const Json& value, std::string_view place, std::string_view name) {
  constexpr double kMost = 1e18;
  const double number = value.is_number() ? value.get<double>() : -1;
  if (!(number >= 0 && number <= kMost)) {
    return base::wrong(place, fmt::format("{} takes a number from 0 on, not {}", base::quoted(name),
                                          base::quoted(value.dump(-1, ' ', false, Json::error_handler_t::replace))));
  }
  return number;
}

void keep_largest(Run& run, std::string_view name, double value) {
  double& known = run.figures[std::string(name)];
  known = std::max(known, value);
}

double median(std::vector<double> values) {
  const std::size_t middle = values.size() / 2;
  std::ranges::sort(values);
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

base::Result<Run> read_run(std::string_view bytes, std::string_view place) {
  if (looks_like_snapshot(bytes)) {
    return read_snapshot(bytes, place);
  }
  if (bytes.starts_with("PK")) {
    return base::wrong(place, "is an archive, such as torch.save writes", kFormats);
  }
  if (is_blank(bytes)) {
    return base::wrong(place, "is empty", kFormats);
  }
  if (begins_with_record(bytes)) {
    return read_records(bytes, place);
  }
  if (trimmed(bytes).starts_with('{')) {
    const base::Result<Json> object = base::parse_json<Json>(bytes, place);
    return object ? read_statistics(*object, place) : object.error();
  }
  if (looks_like_table(bytes)) {
    return read_table(bytes, place);
  }
  return base::wrong(place, "is of no format that tells of a run", kFormats);
}

}  // namespace vggplan::runs
