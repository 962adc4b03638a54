// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <functional>

namespace vggplan::base {

/// Calls work(0) ... work(count - 1), each once, on a few threads (0: as many as the machine has), or on
/// those that it gets: the calling one is enough. What it writes
/// must be by index, so that no result depends on the order. The first exception is thrown again here.
void parallel_for(std::size_t count, unsigned threads, const std::function<void(std::size_t)>& work);

}  // namespace vggplan::base
