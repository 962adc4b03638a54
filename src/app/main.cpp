// SPDX-License-Identifier: MIT
#include <unistd.h>

#include "vggplan/app/app.hpp"

int main(int count, char** words) {
  const auto world = vggplan::app::real_world(environ);
  // An empty argument vector is possible: exec allows it.
  return vggplan::app::run({words + (count > 0 ? 1 : 0), words + count}, *world);
}
