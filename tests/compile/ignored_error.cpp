// SPDX-License-Identifier: MIT
// expect: nodiscard
#include "vggplan/base/result.hpp"

vggplan::base::Result<int> may_fail();

int use() {
#ifdef WRONG
  may_fail();
#endif
  const auto result = may_fail();
  return result ? *result : 0;
}
