// SPDX-License-Identifier: MIT
// What scripts/mutate puts into the sources: each fault acts where its number is in VGGPLAN_MUTANT.
#pragma once
#if __cplusplus >= 202002L  // and not where CMake tries the compiler

#include <algorithm>
#include <concepts>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <type_traits>
#include <utility>

namespace mut {

inline int active = 0;
inline bool reached[1 << 14];

// Before variables are initialised.
[[gnu::constructor(101)]] inline void start() {
  if (const char* number = std::getenv("VGGPLAN_MUTANT")) {
    active = std::atoi(number);
  }
  static bool once = [] {
    std::atexit([] {
      const char* path = std::getenv("VGGPLAN_REACHED");
      std::FILE* file = path ? std::fopen(path, "w") : nullptr;
      for (int i = 0; file && i < (1 << 14); ++i) {
        if (reached[i]) {
          std::fprintf(file, "%d\n", i);
        }
      }
      if (file) {
        std::fclose(file);
      }
    });
    return true;
  }();
  (void)once;
}

constexpr bool on(int number) {
  if (std::is_constant_evaluated()) {
    return false;
  }
  reached[number] = true;
  return active == number;
}

/// Keeps an initialiser from being told while compiling.
inline int late(int number) { return number; }

template <class T, class U>
constexpr T number(int number, T right, U wrong) {
  return on(number) ? static_cast<T>(wrong) : right;
}

/// `a < Op{7} < b` is a < b, or with fault 7 a <= b: the place of an operator between its two operands.
struct Op {
  int number;
};
template <class T>
struct Left {
  T value;
  int number;
};

// Texts cannot be subtracted: their terms are swapped.
#define VGGPLAN_MUTATED(symbol, right, wrong)                 \
  template <class T>                                          \
  constexpr Left<T> operator symbol(T&& a, Op op) {           \
    return {std::forward<T>(a), op.number};                   \
  }                                                           \
  template <class T, class U>                                 \
  constexpr auto operator symbol(Left<T> left, U&& b) {       \
    auto& a = left.value;                                     \
    using Result = std::decay_t<decltype(right)>;             \
    if constexpr (requires { static_cast<Result>(wrong); }) { \
      if (on(left.number)) {                                  \
        return static_cast<Result>(wrong);                    \
      }                                                       \
    } else if (on(left.number)) {                             \
      return static_cast<Result>(b symbol a);                 \
    }                                                         \
    return static_cast<Result>(right);                        \
  }
VGGPLAN_MUTATED(<, a < b, a <= b)
VGGPLAN_MUTATED(<=, a <= b, a < b)
VGGPLAN_MUTATED(>, a > b, a >= b)
VGGPLAN_MUTATED(>=, a >= b, a > b)
VGGPLAN_MUTATED(==, a == b, a != b)
VGGPLAN_MUTATED(!=, a != b, a == b)
VGGPLAN_MUTATED(+, a + b, a - b)
VGGPLAN_MUTATED(-, a - b, b - a)
VGGPLAN_MUTATED(*, a* b, a / b)
VGGPLAN_MUTATED(/, a / b, b / a)
#undef VGGPLAN_MUTATED

/// std::max, or with its fault std::min; and the other way round.
template <bool largest, class Type = void>
struct Extreme {
  int number;

  template <class T>
  constexpr T operator()(const T& a, const T& b) const {
    return largest != on(number) ? std::max(a, b) : std::min(a, b);
  }
  template <class T>
  constexpr T operator()(std::initializer_list<T> list) const {
    return largest != on(number) ? std::max(list) : std::min(list);
  }
};
template <bool largest, class Type>
requires(!std::is_void_v<Type>) struct Extreme<largest, Type> {
  int number;

  constexpr Type operator()(const Type& a, const Type& b) const {
    return largest != on(number) ? std::max(a, b) : std::min(a, b);
  }
};

}  // namespace mut

#endif
