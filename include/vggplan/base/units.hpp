// SPDX-License-Identifier: MIT
// One type per physical quantity, so that bytes and FLOPs cannot be mixed up.
#pragma once

#include <compare>
#include <cstdint>

#include "vggplan/base/checked.hpp"

namespace vggplan::base {

/// A number with a unit. `Tag` names the unit, `Rep` is the representation.
/// Sums and differences stay in the unit; a ratio of two is a plain number.
template <class Tag, class Rep>
class Quantity {
 public:
  using rep = Rep;

  constexpr Quantity() = default;
  constexpr explicit Quantity(Rep count) : count_(count) {}

  [[nodiscard]] constexpr Rep count() const { return count_; }
  [[nodiscard]] constexpr double as_double() const { return static_cast<double>(count_); }

  constexpr auto operator<=>(const Quantity&) const = default;

  constexpr Quantity& operator+=(Quantity other) {
    count_ += other.count_;
    return *this;
  }
  constexpr Quantity& operator-=(Quantity other) {
    count_ -= other.count_;
    return *this;
  }
  friend constexpr Quantity operator+(Quantity a, Quantity b) { return Quantity(a.count_ + b.count_); }
  friend constexpr Quantity operator-(Quantity a, Quantity b) { return Quantity(a.count_ - b.count_); }
  friend constexpr Quantity operator*(Quantity a, Rep factor) { return Quantity(a.count_ * factor); }
  friend constexpr Quantity operator*(Rep factor, Quantity a) { return Quantity(factor * a.count_); }
  friend constexpr Quantity operator/(Quantity a, Rep divisor) { return Quantity(a.count_ / divisor); }

 private:
  Rep count_{};
};

using Bytes = Quantity<struct BytesTag, std::int64_t>;
using Flops = Quantity<struct FlopsTag, std::int64_t>;
using Seconds = Quantity<struct SecondsTag, double>;
using BytesPerSecond = Quantity<struct BytesPerSecondTag, double>;
using FlopsPerSecond = Quantity<struct FlopsPerSecondTag, double>;
using Usd = Quantity<struct UsdTag, double>;

constexpr Seconds operator/(Bytes work, BytesPerSecond rate) { return Seconds(work.as_double() / rate.count()); }
constexpr Seconds operator/(Flops work, FlopsPerSecond rate) { return Seconds(work.as_double() / rate.count()); }
constexpr BytesPerSecond operator/(Bytes work, Seconds time) { return BytesPerSecond(work.as_double() / time.count()); }
constexpr FlopsPerSecond operator/(Flops work, Seconds time) { return FlopsPerSecond(work.as_double() / time.count()); }

inline constexpr Bytes kKiB{1024};
inline constexpr Bytes kMiB{1024LL * 1024};
inline constexpr Bytes kGiB{1024LL * 1024 * 1024};

/// `value` rounded up to a multiple of `step` (step > 0, value >= 0).
constexpr Bytes round_up(Bytes value, Bytes step) { return Bytes(round_up(value.count(), step.count())); }

}  // namespace vggplan::base
