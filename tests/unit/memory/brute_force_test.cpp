// SPDX-License-Identifier: MIT
// The allocator against a second implementation, on random operations from fixed seeds.
#include <array>
#include <cstdint>
#include <optional>
#include <random>

#include "support/allocator_duel.hpp"
#include "support/catch.hpp"
#include "support/sizes.hpp"

namespace vggplan::memory {
namespace {

using support::AllocatorDuel;

using support::kMiB;

struct Setting {
  bool expandable{};
  std::optional<std::int64_t> capacity{};
  int streams{1};
  std::int64_t largest{200 * kMiB};
};

/// Sizes as training steps ask for them: bytes, small tensors, activations; and the edges of every rule.
std::int64_t random_size(std::mt19937& random, std::int64_t largest) {
  const auto below = [&](std::int64_t bound) { return 1 + static_cast<std::int64_t>(random()) % bound; };
  constexpr std::array<std::int64_t, 8> kEdges{512, kMiB, 2 * kMiB, 10 * kMiB, 19 * kMiB, 20 * kMiB, 40 * kMiB, 1536};
  switch (random() % 6) {
    case 4: return std::int64_t{4} * kMiB << random() % 4;  // few sizes: equal blocks, where addresses decide
    case 0: return below(4096);
    case 1: return below(kMiB);
    case 2: return below(12 * kMiB);
    case 3: return below(largest);
    default:
      return std::max<std::int64_t>(
          1, kEdges[random() % kEdges.size()] + static_cast<std::int64_t>(random() % 3) * 512 - 512);
  }
}

/// Live blocks swing up and down, so that caches fill, fragment and empty.
AllocatorDuel play(const Setting& setting, std::uint32_t seed, int operations) {
  std::mt19937 random(seed);
  AllocatorDuel duel(setting.expandable, setting.capacity);
  for (int i = 0; i < operations && duel.difference().empty(); ++i) {
    const std::uint32_t full = (i / 200) % 2 == 0 ? 7 : 4;  // of ten operations, how many allocate
    const auto what = static_cast<std::uint32_t>(random() % 1000);
    if (what < 3) {
      duel.empty_cache();
    } else if (what < 5) {
      duel.driver_takes(random_size(random, setting.largest));
    } else if (what < 6) {
      duel.driver_moves_local_memory();
    } else if (what % 10 < full && duel.live() < 150) {
      const std::int64_t size = random_size(random, setting.largest);
      duel.allocate(size, static_cast<int>(random() % static_cast<unsigned>(setting.streams)));
    } else {
      duel.free(random());
    }
  }
  return duel;
}

void require_equal(const Setting& setting, int rounds, int operations) {
  std::int64_t retries = 0;
  for (int seed = 1; seed <= rounds; ++seed) {
    const AllocatorDuel duel = play(setting, static_cast<std::uint32_t>(seed), operations);
    INFO("seed " << seed);
    REQUIRE(duel.difference().empty());
    REQUIRE(duel.operations() > operations / 2);
    retries += duel.retries();
  }
  CHECK((retries > 0) == setting.capacity.has_value());  // the limit was met, where there is one
}

TEST_CASE("segments: every operation gives what brute force gives") { require_equal({false, {}, 1}, 12, 2000); }

TEST_CASE("segments on several streams: every operation gives what brute force gives") {
  require_equal({false, {}, 4}, 8, 2000);
}

TEST_CASE("segments under a capacity: every operation gives what brute force gives") {
  require_equal({false, 700 * kMiB, 1}, 12, 2000);
  require_equal({false, 400 * kMiB + 512, 3}, 8, 2000);
  require_equal({false, 60 * kMiB, 1, 30 * kMiB}, 8, 2000);
}

TEST_CASE("expandable segments: every operation gives what brute force gives") {
  require_equal({true, {}, 1}, 12, 2000);
  require_equal({true, {}, 3}, 6, 2000);
}

TEST_CASE("expandable segments under a capacity: every operation gives what brute force gives") {
  require_equal({true, 700 * kMiB, 1}, 12, 2000);
  require_equal({true, 1000 * kMiB, 3}, 8, 2000);
  require_equal({true, 60 * kMiB, 1, 30 * kMiB}, 8, 2000);
}

TEST_CASE("every segment lies where a list of unused intervals puts it") {
  for (std::uint32_t seed = 1; seed <= 40; ++seed) {
    std::mt19937 random(seed);
    const bool rising = seed % 4 == 0;
    AddressSpace space(rising ? AddressOrder::rising : AddressOrder::falling);
    support::BruteAddresses plain(rising);
    for (int i = 0; i < 100; ++i) {
      if (random() % 50 == 0) {
        space.move_local_memory();
        plain.open_local_memory();
      }
      // Whole MiB, as segments are, hit the ends of granules; 414 of them the range that the context gives up.
      const std::int64_t bytes = kMiB * static_cast<std::int64_t>(1 + random() % (random() % 8 == 0 ? 420 : 40));
      REQUIRE(space.place(base::Bytes(bytes)) == plain.place(bytes));
    }
  }
}

TEST_CASE("freeing everything leaves nothing allocated, and an emptied cache nothing reserved") {
  for (const bool expandable : {false, true}) {
    AllocatorConfig config;
    config.expandable_segments = expandable;
    CachingAllocator allocator(config);
    std::mt19937 random(7);
    std::vector<CachingAllocator::Handle> live;
    for (std::size_t i = 0; i < 500; ++i) {
      live.push_back(*allocator.allocate(base::Bytes(random_size(random, 100 * kMiB)), i % 4));
    }
    std::shuffle(live.begin(), live.end(), random);
    for (const CachingAllocator::Handle block : live) {
      allocator.free(block);
    }
    CHECK(allocator.allocated() == base::Bytes(0));
    CHECK(allocator.reserved() > base::Bytes(0));
    allocator.empty_cache();
    CHECK(allocator.reserved() == base::Bytes(0));
    CHECK(allocator.largest_cached() == base::Bytes(0));
  }
}

}  // namespace
}  // namespace vggplan::memory
