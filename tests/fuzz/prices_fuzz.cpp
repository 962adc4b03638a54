// SPDX-License-Identifier: MIT
// Any text as a list of prices: an answer or an error that can be read.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>

#include "vggplan/catalog/catalog.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using vggplan::catalog::Catalog;
  using vggplan::catalog::PriceList;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const vggplan::catalog::AskedPrices asked{{}, true, "2026-11-29"};
  auto prices = PriceList::read(text, "prices", "2026-11-29", asked);
  if (!prices) {
    if (!prices.error().place.starts_with("prices") || prices.error().rule.empty()) {
      std::abort();
    }
    return 0;
  }
  const auto catalog = Catalog::built_in().with_prices(std::move(*prices), asked);
  if (catalog && !catalog->machines_with("t4")) {
    std::abort();
  }
  return 0;
}
