// SPDX-License-Identifier: MIT
#include "catalog/price_rows.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>

#include "catalog/read_record.hpp"
#include "vggplan/base/csv.hpp"
#include "vggplan/base/format.hpp"
#include "vggplan/hardware/hardware.hpp"

namespace vggplan::catalog {

namespace {

using Cells = std::vector<base::CsvCell>;

constexpr double kDearest = 1e6;  // dollars an hour, as in configs/schema/prices.schema.json

/// Columns that are read; https://github.com/skypilot-org/skypilot-catalog has more, in any order.
enum class Column { machine, accelerator, count, price, spot, region, zone };
struct Heading {
  Column column{};
  std::string_view name{};
  bool required{};
};
constexpr std::array kHeadings{
    Heading{Column::machine, "InstanceType", true},   Heading{Column::accelerator, "AcceleratorName", true},
    Heading{Column::count, "AcceleratorCount", true}, Heading{Column::price, "Price", true},
    Heading{Column::spot, "SpotPrice", false},        Heading{Column::region, "Region", true},
    Heading{Column::zone, "AvailabilityZone", false}};

class CsvRows {
 public:
  explicit CsvRows(const std::string& shown) : shown_(shown) {}

  base::Result<PriceRows> read(std::string_view text) {
    base::Status error = read_header(base::next_line(text).text);
    for (std::size_t number = 2; !error && !text.empty(); ++number) {
      const std::string_view line = base::next_line(text).text;
      error = base::trimmed(line).empty() ? std::nullopt : add(line, fmt::format("{}:{}", shown_, number));
    }
    TRY(error);
    return std::move(rows_);
  }

 private:
  base::Status read_header(std::string_view line) {
    const Cells cells = TRY(base::csv_cells(line, shown_ + ":1"));
    width_ = cells.size();
    for (const Heading& heading : kHeadings) {
      std::optional<std::size_t>& place = places_.at(static_cast<std::size_t>(heading.column));
      for (std::size_t i = 0; i < cells.size(); ++i) {
        if (cells[i].text != heading.name) {
          continue;
        }
        if (place) {
          return base::wrong(fmt::format("{}:1:{}", shown_, cells[i].column),
                             fmt::format("names the column {} a second time", heading.name));
        }
        place = i;
      }
      if (heading.required && !place) {
        return base::wrong(shown_ + ":1", fmt::format("has no column {}", heading.name),
                           "a price list is a vms.csv of SkyPilot's catalogue, or JSON: vggplan schema prices");
      }
    }
    return std::nullopt;
  }

  base::Status add(std::string_view line, const std::string& at) {
    const Cells cells = TRY(base::csv_cells(line, at));
    if (cells.size() != width_) {
      return base::wrong(at, fmt::format("has {} columns, and the header {}", cells.size(), width_));
    }
    PriceRow row;
    row.machine = text(cells, Column::machine);
    row.accelerator = text(cells, Column::accelerator);
    row.region = text(cells, Column::region);
    row.zone = text(cells, Column::zone);
    const double gpus = TRY(number(cells, Column::count, at, static_cast<double>(hardware::kMostGpus))).value_or(0);
    row.count = static_cast<std::int64_t>(gpus);
    row.on_demand = TRY(price(cells, Column::price, at));
    row.spot = TRY(price(cells, Column::spot, at));
    const bool whole = std::floor(gpus) == gpus && (row.accelerator.empty() || gpus > 0);
    if (whole && (row.on_demand || row.spot)) {
      rows_.rows.push_back(std::move(row));
    }
    return std::nullopt;
  }

  const base::CsvCell* cell(const Cells& cells, Column column) const {
    const auto& place = places_.at(static_cast<std::size_t>(column));
    return place ? &cells[*place] : nullptr;
  }
  std::string text(const Cells& cells, Column column) const {
    const base::CsvCell* found = cell(cells, column);
    return found == nullptr ? "" : found->text;
  }
  /// Nothing in an empty cell.
  base::Result<std::optional<double>> number(const Cells& cells, Column column, const std::string& at,
                                             double most) const {
    const base::CsvCell* found = cell(cells, column);
    if (found == nullptr || found->text.empty()) {
      return std::optional<double>();
    }
    const std::optional<double> value = base::parse_number(found->text);
    if (!value || *value < 0 || *value > most) {
      return base::wrong(
          fmt::format("{}:{}", at, found->column),
          fmt::format("{} takes a number from 0 to {}, not {}", kHeadings.at(static_cast<std::size_t>(column)).name,
                      most, base::quoted(found->text)));
    }
    return value;
  }

  base::Result<std::optional<base::Usd>> price(const Cells& cells, Column column, const std::string& at) const {
    const std::optional<double> amount = TRY(number(cells, column, at, kDearest));
    return amount ? std::optional(base::Usd(*amount)) : std::nullopt;
  }

  const std::string& shown_;
  std::array<std::optional<std::size_t>, kHeadings.size()> places_{};
  std::size_t width_{};
  PriceRows rows_{};
};

PriceRows rows_of_json(const ObjectReader& reader) {
  PriceRows list;
  list.date = reader.text("date");
  reader.each("prices", [&](const ObjectReader& item) {
    PriceRow row;
    row.machine = item.text("machine");
    row.accelerator = item.text("gpu");
    row.count = item.optional_integer("gpu_count");
    row.place = item.place();
    row.region = item.text("region");
    row.on_demand = item.optional_quantity<base::Usd>("usd_per_hour");
    row.spot = item.optional_quantity<base::Usd>("spot_usd_per_hour");
    list.rows.push_back(std::move(row));
  });
  return list;
}

}  // namespace

base::Result<PriceRows> read_price_rows(std::string_view text, const std::string& shown) {
  if (base::trimmed(text).starts_with('{')) {
    return read_record<PriceRows>({text, shown}, "prices", rows_of_json);
  }
  return CsvRows(shown).read(text);
}

}  // namespace vggplan::catalog
