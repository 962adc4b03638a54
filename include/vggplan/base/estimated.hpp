// SPDX-License-Identifier: MIT
// An estimated quantity says how sure it is.
#pragma once

#include <algorithm>

#include "vggplan/base/names.hpp"

namespace vggplan::base {

/// Where a figure comes from, most certain first.
enum class Basis {
  exact,       ///< counting
  simulated,   ///< replay through the allocator model
  calibrated,  ///< fitted on this GPU
  modelled,    ///< carried over from another GPU
  assumed,     ///< a default that the user may change
};

/// A central value with the range that is expected to hold the truth.
template <class T>
struct Estimated {
  T value{};
  T low{};
  T high{};
  Basis basis{Basis::exact};
  bool operator==(const Estimated&) const = default;
};

template <class T>
constexpr Estimated<T> exactly(T value, Basis basis = Basis::exact) {
  return {value, value, value, basis};
}

/// The weaker of two bases: a sum is only as sure as its least sure part.
constexpr Basis weaker(Basis a, Basis b) { return std::max(a, b); }

template <class T>
constexpr Estimated<T> operator+(const Estimated<T>& a, const Estimated<T>& b) {
  return {a.value + b.value, a.low + b.low, a.high + b.high, weaker(a.basis, b.basis)};
}

}  // namespace vggplan::base
