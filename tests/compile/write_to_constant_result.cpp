// SPDX-License-Identifier: MIT
// expect: assignment of read-only|cannot assign to return value
#include "vggplan/base/result.hpp"

int use(vggplan::base::Result<int>& result, const vggplan::base::Result<int>& constant) {
  *result = 1;
#ifdef WRONG
  *constant = 1;
#endif
  return *result + *constant;
}
