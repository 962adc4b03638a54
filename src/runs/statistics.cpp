// SPDX-License-Identifier: MIT
// torch.cuda.memory_stats() as JSON, flat ("allocated_bytes.all.peak") or nested as memory_stats_as_nested_dict() is.
#include "runs/readers.hpp"

namespace vggplan::runs {

namespace {

const Json* nested(const Json& object, std::string_view path) {
  const std::size_t dot = path.find('.');
  if (!object.is_object()) {
    return nullptr;
  }
  const auto found = object.find(std::string(path.substr(0, dot)));
  if (found == object.end() || dot == std::string_view::npos) {
    return found == object.end() ? nullptr : &*found;
  }
  return nested(*found, path.substr(dot + 1));
}

}  // namespace

base::Result<Run> read_statistics(const Json& object, std::string_view place) {
  Run run;
  run.format = Format::memory_stats;
  for (const Meaning& statistic : kStatistics) {
    const auto flat = object.find(std::string(statistic.name));
    const Json* value = flat != object.end() ? &*flat : nested(object, statistic.name);
    if (value == nullptr) {
      continue;
    }
    const double figure = TRY(figure_of(*value, place, statistic.name));
    run.figures[std::string(statistic.figure)] = figure;
  }
  if (!run.figures.contains("allocated_peak_bytes") && !run.figures.contains("reserved_peak_bytes")) {
    return base::wrong(place, "has no allocated_bytes.all.peak, which torch.cuda.memory_stats() tells",
                       "write one with: json.dump(torch.cuda.memory_stats(), file)");
  }
  return run;
}

}  // namespace vggplan::runs
