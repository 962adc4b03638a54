// SPDX-License-Identifier: MIT
// Drives the allocator and its plain double through the same operations and tells the first difference.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "brute_allocator.hpp"
#include "vggplan/memory/allocator.hpp"

namespace vggplan::support {

class AllocatorDuel {
 public:
  AllocatorDuel(bool expandable, std::optional<std::int64_t> capacity)
      : fast_(config(expandable, capacity)), plain_(expandable, capacity) {
    fast_.record_segments();
  }

  void allocate(std::int64_t bytes, int stream) {
    const auto mine = fast_.allocate(base::Bytes(bytes), static_cast<std::size_t>(stream));
    const auto theirs = plain_.allocate(bytes, stream);
    if (mine.has_value() != theirs.has_value()) {
      differ("one runs out of memory");
    } else if (mine) {
      live_.push_back({*mine, *theirs});
      compare("block size", fast_.block_size(*mine).count(), plain_.size_of(*theirs));
    }
    check();
  }
  /// Frees the live block at `place`, counted modulo their number; nothing where there is none.
  void free(std::size_t place) {
    if (live_.empty()) {
      return;
    }
    const std::size_t at = place % live_.size();
    fast_.free(live_[at].mine);
    plain_.free(live_[at].theirs);
    live_[at] = live_.back();
    live_.pop_back();
    check();
  }
  void driver_moves_local_memory() {
    fast_.addresses().move_local_memory();
    plain_.addresses().open_local_memory();
  }
  void driver_takes(std::int64_t bytes) {
    fast_.addresses().place(base::Bytes(bytes));
    plain_.addresses().place(bytes);
  }
  void empty_cache() {
    fast_.empty_cache();
    plain_.empty_cache();
    check();
  }

  /// Empty where the two never differed.
  [[nodiscard]] const std::string& difference() const { return difference_; }
  [[nodiscard]] std::int64_t retries() const { return fast_.retries(); }
  [[nodiscard]] std::size_t live() const { return live_.size(); }
  [[nodiscard]] std::int64_t operations() const { return operations_; }

 private:
  struct Pair {
    memory::CachingAllocator::Handle mine{};
    std::int64_t theirs{};
  };

  static memory::AllocatorConfig config(bool expandable, std::optional<std::int64_t> capacity) {
    memory::AllocatorConfig config;
    config.expandable_segments = expandable;
    if (capacity) {
      config.capacity = base::Bytes(*capacity);
    }
    return config;
  }
  void differ(const std::string& what) {
    if (difference_.empty()) {
      difference_ = "operation " + std::to_string(operations_) + ": " + what;
    }
  }
  void compare(const std::string& what, std::int64_t mine, std::int64_t theirs) {
    if (mine != theirs) {
      differ(what + " " + std::to_string(mine) + ", by brute force " + std::to_string(theirs));
    }
  }
  void check() {
    ++operations_;
    compare("allocated", fast_.allocated().count(), plain_.allocated());
    compare("reserved", fast_.reserved().count(), plain_.reserved());
    compare("retries", fast_.retries(), plain_.retries);
    for (int stream = 0; stream < static_cast<int>(memory::CachingAllocator::kStreams); ++stream) {
      compare("largest cached", fast_.largest_cached(static_cast<std::size_t>(stream)).count(),
              plain_.largest_cached(stream));
    }
    std::int64_t used = 0;
    for (const Pair& pair : live_) {
      used += fast_.block_size(pair.mine).count();
    }
    compare("sum of live blocks", used, fast_.allocated().count());
    if (!plain_.sound()) {
      differ("the plain model overlaps itself");
    }
    compare("segments", static_cast<std::int64_t>(fast_.segments().size()),
            static_cast<std::int64_t>(plain_.grown.size()));
    if (!plain_.grown.empty() && !fast_.segments().empty()) {
      compare("last segment", fast_.segments().back().count(), plain_.grown.back());
    }
  }

  memory::CachingAllocator fast_;
  BruteAllocator plain_;
  std::vector<Pair> live_{};
  std::int64_t operations_{0};
  std::string difference_{};
};

}  // namespace vggplan::support
