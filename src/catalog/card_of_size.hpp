// SPDX-License-Identifier: MIT
// "8GB": a card of which only the size is known.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "vggplan/hardware/hardware.hpp"

namespace vggplan::catalog {

/// GB as sold of "8GB", "12 GiB" or "24g"; nothing where the text is no size of a card.
std::optional<std::int64_t> size_of_card(std::string_view text);

/// The card whose arithmetic one of so many GB is taken to have: the most used of that size, or of the next larger one.
std::string_view stand_in_for(std::int64_t gigabytes);

/// `like` with so much memory: what the driver keeps back is its share of it, context what it is there.
hardware::Gpu card_of_size(const hardware::Gpu& like, std::int64_t gigabytes);

}  // namespace vggplan::catalog
