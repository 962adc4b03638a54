// SPDX-License-Identifier: MIT
// 64-bit arithmetic that says when it would wrap, or cannot. Sizes from the user pass through here once, at
// the edge (graph shape inference, job validation); what passed is small enough for plain arithmetic.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>

namespace vggplan::base {

constexpr std::optional<std::int64_t> checked_add(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? std::nullopt : std::optional(sum);
}

constexpr std::optional<std::int64_t> checked_mul(std::int64_t a, std::int64_t b) {
  std::int64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? std::nullopt : std::optional(product);
}

template <std::same_as<std::int64_t>... Rest>
constexpr std::optional<std::int64_t> checked_product(std::int64_t first, Rest... rest) {
  std::optional<std::int64_t> product = first;
  ((product = product ? checked_mul(*product, rest) : std::nullopt), ...);
  return product;
}

/// Quotient rounded up (a >= 0, b > 0).
constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return a / b + (a % b == 0 ? 0 : 1); }

/// `value` rounded up to a multiple of `step` (value >= 0, step > 0).
constexpr std::int64_t round_up(std::int64_t value, std::int64_t step) { return ceil_div(value, step) * step; }

inline constexpr std::int64_t kLargestInt32 = 2'147'483'647;  ///< libraries index with 32 bits up to about here

/// No count of bytes, FLOPs or elements in the program exceeds this: integers up to here are exact
/// in every JSON reader, which keeps numbers as doubles.
inline constexpr std::int64_t kLargestExact = 9'007'199'254'740'992;  // 2^53

}  // namespace vggplan::base
