// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace vggplan::app {

/// work(i) for each i below `count`, on as many threads as there are. What it writes must be by index, so
/// that no result depends on the order. The first exception is thrown again here.
template <class Work>
void parallel_for(std::size_t count, Work work) {
  std::atomic<std::size_t> next{0};
  std::exception_ptr thrown;
  std::mutex guard;
  const auto loop = [&] {
    try {
      for (std::size_t i = next++; i < count; i = next++) {
        work(i);
      }
    } catch (...) {
      const std::lock_guard lock(guard);
      thrown = thrown ? thrown : std::current_exception();
      next = count;
    }
  };
  const std::size_t threads = std::min<std::size_t>(std::max(1U, std::thread::hardware_concurrency()), count);
  std::vector<std::thread> pool;
  for (std::size_t i = 1; i < threads; ++i) {
    pool.emplace_back(loop);
  }
  loop();
  for (std::thread& thread : pool) {
    thread.join();
  }
  if (thrown) {
    std::rethrow_exception(thrown);
  }
}

}  // namespace vggplan::app
