// SPDX-License-Identifier: MIT
// Any text as a list of prices: an answer or an error that can be read.
#include <utility>

#include "targets.hpp"
#include "vggplan/catalog/catalog.hpp"

namespace vggplan::fuzz {

void prices(const std::string& input) {
  const catalog::AskedPrices asked{{}, true, "2026-11-29"};
  auto prices = catalog::PriceList::read(input, "prices", "2026-11-29", asked);
  if (!prices) {
    require(prices.error().place.starts_with("prices") && !prices.error().rule.empty(), "prices: no message");
    return;
  }
  const auto catalog = catalog::Catalog::built_in().with_prices(std::move(*prices), asked);
  require(!catalog || catalog->machines_with("t4").has_value(), "prices: machines are lost");
}

}  // namespace vggplan::fuzz
