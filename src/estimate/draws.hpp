// SPDX-License-Identifier: MIT
// Orders in which the steps of a run may draw images of several sizes.
#pragma once

#include <cstddef>
#include <vector>

namespace vggplan::estimate {

/// Of sizes that are numbered from the smallest; each order draws all of them and ends with the largest. The first goes
/// up: what the cache holds of one size is too small for the next. Then down, where all is cut from what the largest
/// has left, and at random. What is reserved settles when every size was there once or twice.
std::vector<std::vector<std::size_t>> draw_orders(std::size_t sizes);

}  // namespace vggplan::estimate
