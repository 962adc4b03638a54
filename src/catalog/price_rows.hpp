// SPDX-License-Identifier: MIT
// Rows of a price list: CSV as SkyPilot publishes it, or JSON (vggplan schema prices).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vggplan/base/result.hpp"
#include "vggplan/base/units.hpp"

namespace vggplan::catalog {

/// What is asked for a machine at one place. Google's rows come in two halves, the host and its GPUs: the one names no
/// accelerator, the other no machine.
struct PriceRow {
  std::string machine{};
  std::string accelerator{};            ///< in the words of the list: A100-80GB
  std::optional<std::int64_t> count{};  ///< of accelerators; nothing: not told
  std::string region{};
  std::string zone{};
  std::optional<base::Usd> on_demand{};
  std::optional<base::Usd> spot{};
  std::string place{};  ///< of a row of JSON, whose GPUs have our names: file:/prices/0
};

struct PriceRows {
  std::string date{};  ///< empty: the list does not tell
  std::vector<PriceRow> rows{};
};

/// Rows without any price and with parts of a GPU are left out. `shown` is what errors call the file.
base::Result<PriceRows> read_price_rows(std::string_view text, const std::string& shown);

}  // namespace vggplan::catalog
