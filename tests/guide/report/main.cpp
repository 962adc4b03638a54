// SPDX-License-Identifier: MIT
// Writes docs/4024x3036.md.
#include "guide/figures/guide.hpp"
#include "support/write_document.hpp"

int main(int count, char** arguments) {
  return vggplan::support::write_document(vggplan::guide::document, count, arguments);
}
