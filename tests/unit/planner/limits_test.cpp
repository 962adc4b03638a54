// SPDX-License-Identifier: MIT
#include "planner/limits.hpp"

#include <random>
#include <vector>

#include "support/catch.hpp"

namespace vggplan::planner {
namespace {

std::int64_t by_trying_all(const std::vector<bool>& holds) {
  std::int64_t best = 0;
  for (std::size_t n = 1; n < holds.size(); ++n) {
    best = holds[n] ? static_cast<std::int64_t>(n) : best;
  }
  return best;
}

/// Each n up to the limit holds, each in a stretch beyond it with some probability, and none further on.
std::vector<bool> flickering(std::mt19937& random, std::size_t ceiling, std::size_t limit, std::size_t stretch) {
  std::vector<bool> holds(ceiling + 1, false);
  for (std::size_t n = 1; n <= ceiling; ++n) {
    holds[n] = n <= limit || (n <= limit + stretch && random() % 3 == 0);
  }
  return holds;
}

TEST_CASE("up to so many numbers, the largest is that of trying all, whatever the condition") {
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    const std::size_t ceiling = 1 + random() % static_cast<std::size_t>(kMostTried);
    const auto holds = flickering(random, ceiling, random() % (ceiling + 1), random() % 200);
    const auto test = [&](std::int64_t n) { return static_cast<bool>(holds.at(static_cast<std::size_t>(n))); };
    INFO("round " << round << " ceiling " << ceiling);
    REQUIRE(largest_below(static_cast<std::int64_t>(ceiling), test) == by_trying_all(holds));
  }
  for (unsigned pattern = 0; pattern < 256; ++pattern) {
    std::vector<bool> holds(9, false);
    for (unsigned n = 1; n <= 8; ++n) {
      holds[n] = (pattern >> (n - 1) & 1U) != 0;
    }
    const auto test = [&](std::int64_t n) { return static_cast<bool>(holds.at(static_cast<std::size_t>(n))); };
    CHECK(largest_below(8, test) == by_trying_all(holds));
  }
}

TEST_CASE("the last of all is the last before the first that fails, where it fails in the upper half alone") {
  std::mt19937 random(11);
  for (int round = 0; round < 2000; ++round) {
    const std::size_t limit = random() % 129;
    const auto holds = flickering(random, 256, limit, limit);  // up to twice the limit
    const auto test = [&](std::int64_t n) { return static_cast<bool>(holds.at(static_cast<std::size_t>(n))); };
    const std::int64_t most = by_trying_all(holds);
    std::int64_t expected = 0;
    while (expected < most && holds[static_cast<std::size_t>(expected + 1)]) {
      ++expected;
    }
    INFO("round " << round << " limit " << limit);
    REQUIRE(last_of_all(most, test) == expected);
  }
  int asked = 0;
  CHECK(last_of_all(100'000, [&](std::int64_t n) {
          ++asked;
          return n <= 40'000 || n == 100'000;
        }) == 40'000);
  CHECK(asked < 1000);
  // Of many, some: what it says runs, and so do all that it looked at below.
  CHECK(last_of_all(10'000, [](std::int64_t n) { return n <= 7'000 || n == 10'000; }) <= 7'000);
  CHECK(last_of_all(10'000, [](std::int64_t n) { return n <= 7'000 || n == 10'000; }) > 6'800);
}

TEST_CASE("of many numbers that flicker, the last of all holds and the next one fails") {
  std::mt19937 random(17);
  for (int round = 0; round < 200; ++round) {
    const std::size_t ceiling = 257 + random() % 5000;
    const auto holds = flickering(random, ceiling, ceiling / 3 + random() % (ceiling / 2), ceiling / 10);
    const std::int64_t most = by_trying_all(holds);
    const auto test = [&](std::int64_t n) { return static_cast<bool>(holds.at(static_cast<std::size_t>(n))); };
    const std::int64_t last = last_of_all(most, test);
    INFO("round " << round << " most " << most);
    CHECK(test(last));
    CHECK((last == most || !test(last + 1)));
  }
}

TEST_CASE("of more numbers, the largest is exact where the condition turns once, and holds in any case") {
  std::mt19937 random(13);
  for (int round = 0; round < 200; ++round) {
    const std::size_t ceiling = 1 + random() % 200'000;
    const std::size_t limit = random() % (ceiling + 1);
    int asked = 0;
    const auto once = [&](std::int64_t n) {
      ++asked;
      return n <= static_cast<std::int64_t>(limit);
    };
    CHECK(largest_below(static_cast<std::int64_t>(ceiling), once) == static_cast<std::int64_t>(limit));
    CHECK(asked <= 2 * kMostTried);
    const auto holds = flickering(random, ceiling, limit, ceiling / 10);
    const auto test = [&](std::int64_t n) { return static_cast<bool>(holds.at(static_cast<std::size_t>(n))); };
    const std::int64_t found = largest_below(static_cast<std::int64_t>(ceiling), test);
    CHECK((found == 0 || test(found)));
    CHECK(found >= static_cast<std::int64_t>(limit));
    CHECK(found <= by_trying_all(holds));
  }
}

TEST_CASE("bisection ends where the condition turns, whatever it does elsewhere") {
  std::mt19937 random(11);
  for (int round = 0; round < 2000; ++round) {
    const std::size_t ceiling = random() % 60;
    std::vector<bool> holds(ceiling + 2, false);
    for (std::size_t n = 1; n <= ceiling; ++n) {
      holds[n] = random() % 2 == 0;
    }
    const std::int64_t n = bisected(static_cast<std::int64_t>(ceiling), [&](std::int64_t i) {
      return static_cast<bool>(holds.at(static_cast<std::size_t>(i)));
    });
    const auto at = static_cast<std::size_t>(n);
    CHECK((n == 0 || holds.at(at)));
    CHECK((at == ceiling || !holds.at(at + 1)));
  }
}

TEST_CASE("nothing is asked beyond the ceiling, and nothing holds at a ceiling of zero") {
  const auto within = [](std::int64_t n) {
    REQUIRE(n >= 1);
    REQUIRE(n <= 37);
    return true;
  };
  CHECK(largest_below(37, within) == 37);
  CHECK(last_true(37, within) == 37);
  CHECK(bisected(37, within) == 37);
  CHECK(largest_below(0, within) == 0);
  CHECK(bisected(0, within) == 0);
}

TEST_CASE("among millions of numbers some hundreds are tried") {
  for (const std::int64_t limit :
       {std::int64_t{0}, std::int64_t{1}, std::int64_t{9'999'999}, std::int64_t{16'000'000}}) {
    int asked = 0;
    CHECK(largest_below(16'000'000, [&](std::int64_t n) {
            ++asked;
            return n <= limit;
          }) == limit);
    CHECK(asked <= 3 * kMostTried);
  }
}

TEST_CASE("galloping finds the last number of a condition that turns once") {
  for (std::int64_t limit = 0; limit <= 300; ++limit) {
    CHECK(last_true(1 << 20, [&](std::int64_t n) { return n <= limit; }) == limit);
  }
}

TEST_CASE("galloping asks a number of times that grows with the answer and not with the most allowed") {
  int asked = 0;
  CHECK(last_true(std::int64_t{1} << 60, [&](std::int64_t n) {
          ++asked;
          return n <= 5;
        }) == 5);
  CHECK(asked <= 6);
}

}  // namespace
}  // namespace vggplan::planner
