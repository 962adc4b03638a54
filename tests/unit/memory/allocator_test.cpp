// SPDX-License-Identifier: MIT
// Rules with numbers in them, counted by hand from c10/cuda/CUDACachingAllocator.cpp. All of them are held together by
// brute_force_test.cpp.
#include "vggplan/memory/allocator.hpp"

#include <vector>

#include "support/catch.hpp"
#include "support/sizes.hpp"

namespace vggplan::memory {
namespace {

using Handle = CachingAllocator::Handle;
using Sizes = std::vector<std::int64_t>;

using support::kMiB;

AllocatorConfig under(std::int64_t capacity) {
  AllocatorConfig config;
  config.capacity = base::Bytes(capacity);
  return config;
}

AllocatorConfig expandable() {
  AllocatorConfig config;
  config.expandable_segments = true;
  return config;
}

/// Plain numbers in and out.
struct Bench {
  explicit Bench(AllocatorConfig config = {}) : allocator(config) { allocator.record_segments(); }

  Handle take(std::int64_t bytes, std::size_t stream = 0) {
    const auto block = allocator.allocate(base::Bytes(bytes), stream);
    REQUIRE(block.has_value());
    return *block;
  }
  bool refuses(std::int64_t bytes) { return !allocator.allocate(base::Bytes(bytes)).has_value(); }
  void give(Handle block) { allocator.free(block); }
  [[nodiscard]] std::int64_t size(Handle block) const { return allocator.block_size(block).count(); }
  [[nodiscard]] std::int64_t allocated() const { return allocator.allocated().count(); }
  [[nodiscard]] std::int64_t reserved() const { return allocator.reserved().count(); }
  [[nodiscard]] Sizes segments() const {
    Sizes sizes;
    for (const base::Bytes bytes : allocator.segments()) {
      sizes.push_back(bytes.count());
    }
    return sizes;
  }

  CachingAllocator allocator;
};

TEST_CASE("requests are rounded up to 512 bytes") {
  Bench bench;
  CHECK(bench.size(bench.take(1)) == 512);
  CHECK(bench.size(bench.take(512)) == 512);
  CHECK(bench.size(bench.take(513)) == 1024);
  CHECK(bench.allocated() == 2048);
}

TEST_CASE("a segment is 2 MiB up to 1 MiB, 20 MiB below 10 MiB, from there the request in steps of 2 MiB") {
  const auto segment_for = [](std::int64_t bytes) {
    Bench bench;
    bench.take(bytes);
    return bench.reserved();
  };
  CHECK(segment_for(1) == 2 * kMiB);
  CHECK(segment_for(kMiB) == 2 * kMiB);
  CHECK(segment_for(kMiB - 511) == 2 * kMiB);  // rounds to 1 MiB exactly
  CHECK(segment_for(kMiB + 1) == 20 * kMiB);
  CHECK(segment_for(10 * kMiB - 512) == 20 * kMiB);
  CHECK(segment_for(10 * kMiB - 511) == 10 * kMiB);  // rounds to 10 MiB
  CHECK(segment_for(10 * kMiB + 1) == 12 * kMiB);
  CHECK(segment_for(411041792) == 392 * kMiB);  // fc1's weight needs no rounding
}

TEST_CASE("small and large requests never share a segment") {
  Bench bench;
  const Handle large = bench.take(2 * kMiB);
  bench.give(large);
  bench.take(kMiB);  // 20 MiB are cached, but in the other pool
  CHECK(bench.segments() == Sizes{20 * kMiB, 2 * kMiB});
}

TEST_CASE("of equal blocks the one at the lowest address is taken, which is in the younger segment") {
  Bench bench;
  const Handle in_older = bench.take(30 * kMiB);
  bench.give(in_older);
  bench.give(bench.take(60 * kMiB));
  const Handle low = bench.take(30 * kMiB);  // the best fit is the whole 30
  const Handle wall = bench.take(30 * kMiB);
  bench.take(30 * kMiB);
  bench.give(low);
  bench.give(wall);  // free: the older segment, and the lower half of the younger
  bench.take(30 * kMiB);
  bench.allocator.empty_cache();
  CHECK(bench.reserved() == 60 * kMiB);  // the older one was whole, and went
}

TEST_CASE("a large block is split when more than 1 MiB remains; else the tail counts as allocated") {
  Bench exact;
  exact.give(exact.take(20 * kMiB));
  CHECK(exact.size(exact.take(19 * kMiB)) == 20 * kMiB);  // 1 MiB left: not split
  Bench above;
  above.give(above.take(20 * kMiB));
  CHECK(above.size(above.take(19 * kMiB - 512)) == 19 * kMiB - 512);
  CHECK(above.allocator.largest_cached() == base::Bytes(kMiB + 512));
}

TEST_CASE("a small block is split down to the last 512 bytes") {
  Bench bench;
  const Handle first = bench.take(kMiB);
  const Handle second = bench.take(kMiB - 512);
  CHECK(bench.size(first) == kMiB);
  CHECK(bench.size(second) == kMiB - 512);
  CHECK(bench.size(bench.take(512)) == 512);  // the rest of the segment
  CHECK(bench.reserved() == 2 * kMiB);
}

TEST_CASE("at the capacity the cache is flushed once and the request tried again") {
  Bench bench(under(100 * kMiB));
  bench.give(bench.take(60 * kMiB));
  bench.take(80 * kMiB);  // 60 cached + 80 do not fit; the cache goes
  CHECK(bench.allocator.retries() == 1);
  CHECK(bench.reserved() == 80 * kMiB);
  bench.take(20 * kMiB);  // exactly full
  CHECK(bench.allocator.retries() == 1);
  CHECK(bench.reserved() == 100 * kMiB);
}

TEST_CASE("a flush does not help where segments hold a live block; the request fails and nothing changes") {
  Bench bench(under(100 * kMiB));
  const Handle big = bench.take(60 * kMiB);
  bench.give(big);
  bench.take(30 * kMiB);  // cuts the 60
  CHECK(bench.refuses(50 * kMiB));
  CHECK(bench.allocator.retries() == 1);
  CHECK(bench.allocated() == 30 * kMiB);
  CHECK(bench.reserved() == 60 * kMiB);
  bench.take(30 * kMiB);  // the other half of it is still there
  CHECK(bench.reserved() == 60 * kMiB);
}

TEST_CASE("segment sizes count against the capacity, not requests") {
  Bench bench(under(19 * kMiB));
  CHECK(bench.refuses(2 * kMiB));  // would need a segment of 20 MiB
  bench.take(11 * kMiB);
  CHECK(bench.reserved() == 12 * kMiB);
}

TEST_CASE("a cuBLAS workspace sits in a 20 MiB segment with 12,451,840 bytes left over") {
  Bench bench;
  bench.take(8519680);
  CHECK(bench.reserved() == 20971520);
  CHECK(bench.allocator.largest_cached() == base::Bytes(12451840));
}

TEST_CASE("vgg16's parameters take 554,741,760 bytes in 559,939,584 reserved") {
  Bench bench;
  std::int64_t channels = 3;
  for (const std::int64_t width : {64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512}) {
    bench.take(channels * width * 9 * 4);
    bench.take(width * 4);
    channels = width;
  }
  std::int64_t features = 512 * 7 * 7;
  for (const std::int64_t width : {4096, 4096, 1000}) {
    bench.take(features * width * 4);
    bench.take(width * 4);
    features = width;
  }
  CHECK(bench.allocated() == 554741760);
  CHECK(bench.reserved() == 559939584);
  CHECK(bench.segments() == Sizes{2 * kMiB, 20 * kMiB, 20 * kMiB, 20 * kMiB, 411041792, 67108864, 16777216});
}

TEST_CASE("reserved memory grows in pages: 2 MiB for small requests, 20 MiB for large ones") {
  Bench bench(expandable());
  bench.take(512);
  CHECK(bench.reserved() == 2 * kMiB);
  bench.take(2 * kMiB);
  CHECK(bench.reserved() == 22 * kMiB);
  bench.take(100 * kMiB);  // 18 MiB are there; 82 more are 5 pages
  CHECK(bench.reserved() == 122 * kMiB);
}

TEST_CASE("blocks are cut to 512 bytes in both pools: no tails count") {
  Bench bench(expandable());
  const Handle block = bench.take(19 * kMiB + 512);
  CHECK(bench.allocator.block_size(block) == base::Bytes(19 * kMiB + 512));
  CHECK(bench.allocator.largest_cached() == base::Bytes(kMiB - 512));
}

TEST_CASE("a hole that cannot grow is preferred to the growing end, though the end is smaller") {
  Bench bench(expandable());
  const Handle hole = bench.take(30 * kMiB);
  bench.take(kMiB + 512);  // wall; the end has 9 MiB - 512 bytes
  bench.allocator.free(hole);
  bench.take(8 * kMiB);
  CHECK(bench.allocator.largest_cached() == base::Bytes(22 * kMiB));  // cut from the hole
}

TEST_CASE("pages inside a hole are given back while their neighbours live, and mapped again") {
  Bench bench(expandable());
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

}  // namespace
}  // namespace vggplan::memory
