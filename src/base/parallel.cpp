// SPDX-License-Identifier: MIT
#include "vggplan/base/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace vggplan::base {

void parallel_for(std::size_t count, unsigned threads, const std::function<void(std::size_t)>& work) {
  if (threads == 0) {
    threads = std::max(1U, std::thread::hardware_concurrency());
  }
  threads = static_cast<unsigned>(std::min<std::size_t>(threads, count));
  std::atomic<std::size_t> next{0};
  std::exception_ptr failure;
  std::mutex failure_guard;
  const auto drain = [&] {
    try {
      for (std::size_t i = next++; i < count; i = next++) {
        work(i);
      }
    } catch (...) {
      const std::scoped_lock lock(failure_guard);
      failure = failure ? failure : std::current_exception();
      next = count;
    }
  };
  std::vector<std::thread> helpers;  // no jthread: libc++ has none before version 20
  try {
    for (unsigned i = 1; i < threads; ++i) {
      helpers.emplace_back(drain);
    }
  } catch (const std::exception&) {
    // No more threads are to be had (a limit on processes or on memory): those that are there do the work.
  }
  drain();
  std::for_each(helpers.begin(), helpers.end(), [](std::thread& helper) { helper.join(); });
  if (failure) {
    std::rethrow_exception(failure);
  }
}

}  // namespace vggplan::base
