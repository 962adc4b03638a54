// SPDX-License-Identifier: MIT
// expect: could not convert|no viable conversion|conversion from .* requested
#include "vggplan/base/units.hpp"

using namespace vggplan::base;

constexpr Bytes kSize{42};
#ifdef WRONG
constexpr Bytes kWrongSize = 42;
#endif
