// SPDX-License-Identifier: MIT
// What went wrong, where, and what to do about it; and a value-or-diagnostic in the manner of
// std::expected, which C++20 lacks.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace vggplan::base {

/// Which exit code an error leads to (docs/interface.md).
enum class Fault {
  question,  ///< usage, value out of range, bad file contents: exit code 2
  file,      ///< a file could not be read or written: exit code 3
  program,   ///< a fault of the program: exit code 4
};

/// One error as a person reads it: "<place>: <rule>\n  <remedy>".
struct Diagnostic {
  Fault fault{Fault::question};
  std::string place{};   ///< the flag, or file:line or file:/json/pointer
  std::string rule{};    ///< what holds, and what was found instead
  std::string remedy{};  ///< what to do; may be empty
  bool operator==(const Diagnostic&) const = default;
};

/// The question is wrong at `place`.
inline Diagnostic wrong(std::string_view place, std::string rule, std::string remedy = "") {
  return {Fault::question, std::string(place), std::move(rule), std::move(remedy)};
}

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}           // NOLINT(google-explicit-constructor)
  Result(Diagnostic error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  [[nodiscard]] const T& value() const& { return checked(std::get_if<0>(&state_)); }
  [[nodiscard]] T& value() & { return checked(std::get_if<0>(&state_)); }
  [[nodiscard]] T&& value() && { return std::move(checked(std::get_if<0>(&state_))); }
  [[nodiscard]] const T& operator*() const& { return value(); }
  [[nodiscard]] T& operator*() & { return value(); }
  [[nodiscard]] T&& operator*() && { return std::move(*this).value(); }
  [[nodiscard]] const T* operator->() const { return &value(); }
  [[nodiscard]] T* operator->() { return &value(); }

  [[nodiscard]] const Diagnostic& error() const { return checked(std::get_if<1>(&state_)); }

 private:
  template <class P>
  static P& checked(P* alternative) {
    if (alternative == nullptr) {
      throw std::logic_error("Result: read of the alternative that it does not hold");
    }
    return *alternative;
  }
  std::variant<T, Diagnostic> state_;
};

/// For functions that yield nothing but may fail.
using Status = std::optional<Diagnostic>;

/// What TRY is made of.
inline const Diagnostic* error_of(const Status& status) { return status ? &*status : nullptr; }
template <class T>
const Diagnostic* error_of(const Result<T>& result) {
  return result ? nullptr : &result.error();
}
inline void value_of(const Status& /*passed*/) {}
template <class T>
T value_of(const Result<T>& result) {
  return *result;
}
template <class T>
T value_of(Result<T>&& result) {
  return *std::move(result);
}

}  // namespace vggplan::base

/// The value of a Result; or leaves the function with its error, of a Status as well. For whole statements and
/// initialisers. g++ and clang have such expressions of statements; C++20 itself cannot leave a function from one.
#define TRY(...)                                                            \
  __extension__({                                                           \
    auto&& tried = (__VA_ARGS__);                                           \
    if (const auto* const error_of_it = ::vggplan::base::error_of(tried)) { \
      return *error_of_it;                                                  \
    }                                                                       \
    ::vggplan::base::value_of(std::forward<decltype(tried)>(tried));        \
  })
