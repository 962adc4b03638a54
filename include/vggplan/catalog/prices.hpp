// SPDX-License-Identifier: MIT
// Prices that the user brings, in place of the catalogue's.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "vggplan/base/result.hpp"
#include "vggplan/hardware/hardware.hpp"

namespace vggplan::catalog {

class Catalog;

/// Which of the known prices count.
struct AskedPrices {
  std::vector<std::string> regions{};  ///< of these alone; empty: of any
  bool spot{false};                    ///< machines have their spot price
  std::string today{};                 ///< an ISO date that ages are told by; empty: they are not told
  std::string place{"region"};         ///< what errors about the regions call their origin

  [[nodiscard]] bool takes(std::string_view region) const;
};

/// What machines cost where they cost least, on demand and as spot.
class PriceList {
 public:
  /// A vms.csv of https://github.com/skypilot-org/skypilot-catalog, or JSON (vggplan schema prices). `date`: as of when
  /// its prices are, where the list does not tell.
  static base::Result<PriceList> read(std::string_view text, const std::string& shown, const std::string& date,
                                      const AskedPrices& asked);

  /// Machines and GPUs that JSON names must be known. A list of a cloud may have others.
  base::Status check(const Catalog& catalog);

  /// All that it has a price of, asked for or not.
  [[nodiscard]] const std::set<std::string>& regions() const { return regions_; }

  /// The list's prices in place of those that the machine has; nothing where the list lacks it.
  void put_on(hardware::Machine& machine) const;
  /// Machines that the catalogue lacks and that have this GPU.
  [[nodiscard]] std::vector<hardware::Machine> others_with(std::string_view gpu, const Catalog& catalog) const;

 private:
  struct Offer {
    std::string name{};
    std::string accelerator{};
    std::int64_t count{};
    std::string place{};  ///< of a row of JSON
    std::optional<hardware::Price> on_demand{};
    std::optional<hardware::Price> spot{};
  };
  std::map<std::string, Offer, std::less<>> offers_{};  ///< by name_key()
  std::set<std::string> regions_{};
};

}  // namespace vggplan::catalog
