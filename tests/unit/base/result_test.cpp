// SPDX-License-Identifier: MIT
#include "vggplan/base/result.hpp"

#include <limits>
#include <memory>

#include "support/catch.hpp"
#include "vggplan/base/checked.hpp"
#include "vggplan/base/estimated.hpp"

namespace vggplan::base {
namespace {

const Diagnostic kError{Fault::question, "--batch", "must be at least 1, not 0", "leave it out to have it chosen"};

TEST_CASE("a result holds a value or a diagnostic") {
  const Result<int> good = 7;
  const Result<int> bad = kError;
  CHECK(good.has_value());
  CHECK(*good == 7);
  CHECK_FALSE(bad);
  CHECK(bad.error() == kError);
}

TEST_CASE("a result of diagnostics' own building blocks keeps value and error apart") {
  const Result<std::string> text = std::string("error");
  CHECK(text.has_value());
  CHECK(text->size() == 5);
}

TEST_CASE("reading the alternative that a result does not hold is caught") {
  const Result<int> good = 7;
  const Result<int> bad = kError;
  CHECK_THROWS_AS(bad.value(), std::logic_error);
  CHECK_THROWS_AS(good.error(), std::logic_error);
}

template <class R>
concept Writable = requires(R result) {
  *result = 1;
};
static_assert(Writable<Result<int>&> && !Writable<const Result<int>&>);

TEST_CASE("a result moves values that cannot be copied") {
  Result<std::unique_ptr<int>> owner = std::make_unique<int>(3);
  const std::unique_ptr<int> taken = *std::move(owner);
  CHECK(*taken == 3);
}

TEST_CASE("TRY yields the value, and leaves the function with the first error") {
  int reached = 0;
  const auto sum = [&](const Result<int>& first, Result<int> second, const Status& status) -> Result<int> {
    const int one = TRY(first);
    const int two = TRY(std::move(second));
    TRY(status);
    ++reached;
    return one + two;
  };
  CHECK(sum(1, 2, std::nullopt).value() == 3);
  CHECK(reached == 1);
  CHECK(sum(wrong("a", "x"), wrong("b", "x"), std::nullopt).error().place == "a");
  CHECK(sum(1, wrong("b", "x"), wrong("c", "x")).error().place == "b");
  CHECK(sum(1, 2, wrong("c", "x")).error().place == "c");
  CHECK(reached == 1);
}

TEST_CASE("checked arithmetic says when it would wrap") {
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  constexpr auto kMin = std::numeric_limits<std::int64_t>::min();
  CHECK(checked_add(kMax - 1, 1) == kMax);
  CHECK(checked_add(kMax, 1) == std::nullopt);
  CHECK(checked_add(kMin, -1) == std::nullopt);
  CHECK(checked_mul(3'037'000'499, 3'037'000'499) == 9'223'372'030'926'249'001);
  CHECK(checked_mul(3'037'000'500, 3'037'000'500) == std::nullopt);
  CHECK(checked_mul(kMin, -1) == std::nullopt);
}

TEST_CASE("a product that wraps half-way is caught even when a factor of zero follows") {
  const std::int64_t big = 1LL << 40;
  CHECK(checked_product(std::int64_t{2}, std::int64_t{3}, std::int64_t{7}) == 42);
  CHECK(checked_product(big, big, std::int64_t{0}) == std::nullopt);
}

TEST_CASE("a sum of estimates is as sure as its least sure part") {
  const Estimated<double> counted = exactly(10.0);
  const Estimated<double> guessed{5.0, 4.0, 7.0, Basis::modelled};
  const Estimated<double> sum = counted + guessed;
  CHECK(sum.value == 15.0);
  CHECK(sum.low == 14.0);
  CHECK(sum.high == 17.0);
  CHECK(sum.basis == Basis::modelled);
}

}  // namespace
}  // namespace vggplan::base
