// SPDX-License-Identifier: MIT
// expect: no match for|invalid operands to binary expression
#include "vggplan/base/units.hpp"

using namespace vggplan::base;

constexpr Bytes kSum = kKiB + kMiB;
#ifdef WRONG
constexpr auto kWrongSum = kKiB + Flops(1);
#endif
