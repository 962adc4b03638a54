// SPDX-License-Identifier: MIT
#include "vggplan/base/units.hpp"

#include <concepts>
#include <type_traits>

#include "support/catch.hpp"
#include "vggplan/base/dtype.hpp"

namespace vggplan::base {
namespace {

template <class A, class B>
concept Addable = requires(A a, B b) {
  a + b;
};
template <class A, class B>
concept Subtractable = requires(A a, B b) {
  a - b;
};
template <class A, class B>
concept Comparable = requires(A a, B b) {
  a < b;
};
template <class A, class B>
concept Divisible = requires(A a, B b) {
  a / b;
};
template <class A, class B>
concept Multipliable = requires(A a, B b) {
  a* b;
};

// What a unit is for, and the positive control of the checks below.
static_assert(Addable<Bytes, Bytes> && Subtractable<Flops, Flops> && Comparable<Seconds, Seconds>);
static_assert(std::same_as<decltype(Bytes{} / BytesPerSecond{}), Seconds>);
static_assert(std::same_as<decltype(Flops{} / FlopsPerSecond{}), Seconds>);
static_assert(std::same_as<decltype(Bytes{} / Seconds{}), BytesPerSecond>);
static_assert(std::same_as<decltype(Flops{} / Seconds{}), FlopsPerSecond>);

static_assert(!Addable<Bytes, Flops> && !Subtractable<Bytes, Flops> && !Comparable<Bytes, Flops>);
static_assert(!Addable<Bytes, Seconds> && !Addable<Seconds, Usd> && !Addable<Flops, FlopsPerSecond>);
static_assert(!Addable<Bytes, std::int64_t> && !Addable<Seconds, double> && !Comparable<Bytes, std::int64_t>);
static_assert(!Divisible<Bytes, FlopsPerSecond> && !Divisible<Flops, BytesPerSecond>);
static_assert(!Divisible<Seconds, Bytes> && !Divisible<Usd, Seconds>);
static_assert(!Multipliable<Bytes, Bytes> && !Multipliable<Seconds, Seconds> && !Multipliable<Bytes, Seconds>);
static_assert(!std::convertible_to<std::int64_t, Bytes> && !std::convertible_to<Bytes, std::int64_t>);
static_assert(!std::convertible_to<double, Seconds> && !std::is_constructible_v<Flops, Bytes>);

TEST_CASE("arithmetic stays in the unit") {
  Bytes size = 2 * kMiB + kKiB;
  CHECK(size.count() == 2'098'176);
  size -= kKiB;
  size += Bytes(1);
  CHECK(size == Bytes(2'097'153));
  CHECK(size / 2 == Bytes(1'048'576));
  CHECK(kKiB < kMiB);
  CHECK(Bytes{}.count() == 0);
}

TEST_CASE("work over a rate is time, and work over time is a rate") {
  CHECK((Bytes(3'000) / BytesPerSecond(1'000)).count() == 3.0);
  CHECK((Flops(1'000) / FlopsPerSecond(4'000)).count() == 0.25);
  CHECK((Bytes(3'000) / Seconds(2)).count() == 1'500.0);
  CHECK((Flops(3'000) / Seconds(2)).count() == 1'500.0);
}

TEST_CASE("rounding up reaches the next multiple and leaves multiples alone") {
  CHECK(round_up(Bytes(0), Bytes(512)) == Bytes(0));
  CHECK(round_up(Bytes(1), Bytes(512)) == Bytes(512));
  CHECK(round_up(Bytes(512), Bytes(512)) == Bytes(512));
  CHECK(round_up(Bytes(513), Bytes(512)) == Bytes(1024));
}

TEST_CASE("element types have the sizes of their formats") {
  CHECK(size_of(DType::f32) == 4);
  CHECK(size_of(DType::f16) == 2);
  CHECK(size_of(DType::bf16) == 2);
  CHECK(size_of(DType::i64) == 8);
  CHECK(size_of(DType::u8) == 1);
}

}  // namespace
}  // namespace vggplan::base
