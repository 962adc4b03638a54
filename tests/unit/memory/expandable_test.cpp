// SPDX-License-Identifier: MIT
// Expandable segments: one address range per pool and stream, mapped in pages.
#include "support/catch.hpp"
#include "support/sizes.hpp"
#include "vggplan/memory/allocator.hpp"

namespace vggplan::memory {
namespace {

using Handle = CachingAllocator::Handle;

using support::kMiB;

struct Segments {
  explicit Segments(std::optional<std::int64_t> capacity = {}) : allocator(config(capacity)) {}

  static AllocatorConfig config(std::optional<std::int64_t> capacity) {
    AllocatorConfig config;
    config.expandable_segments = true;
    if (capacity) {
      config.capacity = base::Bytes(*capacity);
    }
    return config;
  }
  Handle take(std::int64_t bytes) {
    const auto block = allocator.allocate(base::Bytes(bytes));
    REQUIRE(block.has_value());
    return *block;
  }
  [[nodiscard]] std::int64_t reserved() const { return allocator.reserved().count(); }
  [[nodiscard]] std::int64_t allocated() const { return allocator.allocated().count(); }

  CachingAllocator allocator;
};

TEST_CASE("reserved memory grows in pages: 2 MiB for small requests, 20 MiB for large ones") {
  Segments bench;
  bench.take(512);
  CHECK(bench.reserved() == 2 * kMiB);
  bench.take(2 * kMiB);
  CHECK(bench.reserved() == 22 * kMiB);
  bench.take(100 * kMiB);  // 18 MiB are there; 82 more are 5 pages
  CHECK(bench.reserved() == 122 * kMiB);
}

TEST_CASE("the free tail of the range is used before new pages") {
  Segments bench;
  bench.take(15 * kMiB);
  bench.take(25 * kMiB);
  CHECK(bench.reserved() == 40 * kMiB);
  CHECK(bench.allocated() == 40 * kMiB);
}

TEST_CASE("blocks are cut to 512 bytes in both pools: no tails count") {
  Segments bench;
  const Handle block = bench.take(19 * kMiB + 512);
  CHECK(bench.allocator.block_size(block) == base::Bytes(19 * kMiB + 512));
  CHECK(bench.allocator.largest_cached() == base::Bytes(kMiB - 512));
}

TEST_CASE("a hole that cannot grow is preferred to the growing end, though the end is smaller") {
  Segments bench;
  const Handle hole = bench.take(30 * kMiB);
  bench.take(kMiB + 512);  // wall; the end has 9 MiB - 512 bytes
  bench.allocator.free(hole);
  bench.take(8 * kMiB);
  CHECK(bench.allocator.largest_cached() == base::Bytes(22 * kMiB));  // cut from the hole
}

TEST_CASE("pages inside a hole are given back while their neighbours live, and mapped again") {
  Segments bench;
  bench.take(30 * kMiB);
  const Handle hole = bench.take(60 * kMiB);
  bench.take(30 * kMiB);
  CHECK(bench.reserved() == 120 * kMiB);
  bench.allocator.free(hole);
  bench.allocator.empty_cache();  // the hole spans 30 to 90 MiB; whole pages are 40 to 80
  CHECK(bench.reserved() == 80 * kMiB);
  bench.take(60 * kMiB);
  CHECK(bench.reserved() == 120 * kMiB);
  CHECK(bench.allocated() == 120 * kMiB);
}

TEST_CASE("at the capacity whole free pages are flushed and the request tried again") {
  Segments bench(140 * kMiB);
  const Handle first = bench.take(80 * kMiB);
  bench.take(10 * kMiB);
  bench.allocator.free(first);
  bench.take(100 * kMiB);  // no hole has room: the end must grow, which needs the 80 MiB back
  CHECK(bench.allocator.retries() == 1);
  CHECK(bench.reserved() == 120 * kMiB);
}

TEST_CASE("a request beyond the capacity fails and leaves what lives alone") {
  Segments bench(100 * kMiB);
  bench.take(50 * kMiB);
  CHECK_FALSE(bench.allocator.allocate(base::Bytes(60 * kMiB)).has_value());
  CHECK(bench.allocator.retries() == 1);
  CHECK(bench.allocated() == 50 * kMiB);
  CHECK(bench.reserved() == 60 * kMiB);
  bench.take(50 * kMiB);
  CHECK(bench.reserved() == 100 * kMiB);
}

}  // namespace
}  // namespace vggplan::memory
