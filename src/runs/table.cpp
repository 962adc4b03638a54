// SPDX-License-Identifier: MIT
// CSV with a header: of Lightning's CSVLogger, and of nvidia-smi.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "runs/readers.hpp"
#include "vggplan/base/format.hpp"
#include "vggplan/base/units.hpp"

namespace vggplan::runs {

namespace {

using Cells = std::vector<base::CsvCell>;

// Column names: nvidia-smi --help-query-gpu. Clocks have two names each.
constexpr double kMiB = 1048576;
constexpr std::array kNvidiaSmi{Meaning{"memory.used", "device_used_bytes", kMiB},
                                Meaning{"memory.total", "gpu_memory_bytes", kMiB},
                                Meaning{"clocks.max.sm", "sm_clock_most_mhz"},
                                Meaning{"clocks.max.graphics", "sm_clock_most_mhz"},
                                Meaning{"clocks.sm", "sm_clock_mhz"},
                                Meaning{"clocks.current.sm", "sm_clock_mhz"},
                                Meaning{"clocks.gr", "sm_clock_mhz"},
                                Meaning{"clocks.current.graphics", "sm_clock_mhz"},
                                Meaning{"utilization.gpu", "utilization"},
                                Meaning{"name", "gpu"},
                                Meaning{"gpu_name", "gpu"}};

bool is_nvidia_smi(std::string_view header) {
  return header.find("[MiB]") != std::string_view::npos || header.find("[%]") != std::string_view::npos ||
         header.find("[MHz]") != std::string_view::npos || header.find("memory.used") != std::string_view::npos;
}
bool is_lightning(std::string_view header) { return header.find("_bytes.all.") != std::string_view::npos; }

/// "memory.used [MiB]" without its unit, and a monitor's statistic without the hook that logged it:
/// "DeviceStatsMonitor.on_train_batch_end/STATISTIC" (lightning.pytorch.callbacks.DeviceStatsMonitor).
std::string_view plain_name(std::string_view heading, bool smi) {
  const std::size_t cut = smi ? heading.find(" [") : heading.rfind('/');
  return cut == std::string_view::npos ? heading : smi ? heading.substr(0, cut) : heading.substr(cut + 1);
}

/// What each column tells; null for those that nobody asks.
std::vector<const Meaning*> meanings_of(const Cells& headings, bool smi) {
  std::vector<const Meaning*> meanings;
  for (const base::CsvCell& heading : headings) {
    const std::span<const Meaning> known = smi ? std::span<const Meaning>(kNvidiaSmi) : kStatistics;
    const auto found = std::ranges::find_if(
        known, [&](const Meaning& meaning) { return plain_name(heading.text, smi) == meaning.name; });
    meanings.push_back(found == known.end() ? nullptr : &*found);
  }
  return meanings;
}

/// The number that a cell begins with: nvidia-smi writes its unit behind it. Nothing in cells that are empty or say
/// that the GPU does not know.
base::Result<std::optional<double>> number_in(const std::string& cell, std::string_view at, std::string_view name) {
  if (cell.empty() || cell.front() == '[' || cell == "N/A") {
    return std::optional<double>();
  }
  const std::optional<double> value = base::parse_number(std::string_view(cell).substr(0, cell.find(' ')));
  if (!value || *value < 0 || *value >= 1e18) {
    return base::wrong(at, fmt::format("{} takes a number from 0 on, not {}", base::quoted(name), base::quoted(cell)));
  }
  return value;
}

class TableReader {
 public:
  TableReader(std::string_view place, const Cells& headings, bool smi)
      : place_(place), meanings_(meanings_of(headings, smi)) {
    run_.format = smi ? Format::nvidia_smi_csv : Format::lightning_csv;
  }

  base::Status add(const Cells& cells, const std::string& at) {
    std::map<std::string_view, double> row;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const Meaning* meaning = meanings_[i];
      if (meaning == nullptr) {
        continue;
      }
      if (meaning->figure == "gpu") {
        gpu_ = cells[i].text;
        continue;
      }
      const std::optional<double> value = TRY(number_in(cells[i].text, at, meaning->name));
      if (value) {
        row[meaning->figure] = *value * meaning->unit;
      }
    }
    keep(row);
    return std::nullopt;
  }

  base::Result<Run> finish() {
    if (const auto card = run_.figures.find("gpu_memory_bytes"); card != run_.figures.end()) {
      run_.settings.emplace_back(card->first, fmt::format("{:.0f}", card->second));
      run_.figures.erase(card);
    }
    if (!gpu_.empty()) {
      run_.settings.emplace_back("gpu", gpu_);
    }
    if (!clocks_.empty()) {
      run_.figures["sm_clock_mhz"] = median(clocks_);
    }
    if (run_.figures.empty()) {
      return base::wrong(place_, "has no figure in any column that verify reads",
                         "log memory.used of nvidia-smi, or DeviceStatsMonitor() of Lightning");
    }
    return std::move(run_);
  }

 private:
  /// Clocks count while the GPU works: an idle one lowers them.
  void keep(const std::map<std::string_view, double>& row) {
    constexpr double kBusy = 50;
    const auto utilization = row.find("utilization");
    const bool busy = utilization == row.end() || utilization->second >= kBusy;
    for (const auto& [name, value] : row) {
      if (name == "sm_clock_mhz" && busy) {
        clocks_.push_back(value);
      } else if (name != "sm_clock_mhz" && name != "utilization") {
        keep_largest(run_, name, value);
      }
    }
  }

  Run run_{};
  std::string_view place_{};
  std::vector<const Meaning*> meanings_{};
  std::string gpu_{};
  std::vector<double> clocks_{};
};

}  // namespace

bool looks_like_table(std::string_view text) {
  const std::string_view header = next_line(text).text;
  return is_nvidia_smi(header) || is_lightning(header);
}

base::Result<Run> read_table(std::string_view text, std::string_view place) {
  const std::string_view header = next_line(text).text;
  const Cells headings = TRY(base::csv_cells(header, fmt::format("{}:1", place)));
  TableReader reader(place, headings, is_nvidia_smi(header) && !is_lightning(header));
  for (std::size_t number = 2; !text.empty(); ++number) {
    const Line line = next_line(text);
    if (trimmed(line.text).empty() || line.text == header) {
      continue;  // a log that was begun again has a second header
    }
    const std::string at = fmt::format("{}:{}", place, number);
    const base::Result<Cells> cells = base::csv_cells(line.text, at);
    if (!line.whole && (!cells || cells->size() < headings.size())) {
      break;  // cut off while it was written
    }
    if (!cells) {
      return cells.error();
    }
    if (cells->size() != headings.size()) {
      return base::wrong(at, fmt::format("has {} columns, and the header {}", cells->size(), headings.size()));
    }
    TRY(reader.add(*cells, at));
  }
  return reader.finish();
}

}  // namespace vggplan::runs
