// SPDX-License-Identifier: MIT
// Writes docs/accuracy.md.
#include "accuracy/figures/document.hpp"
#include "support/write_document.hpp"

int main(int count, char** arguments) {
  return vggplan::support::write_document(vggplan::accuracy::document, count, arguments);
}
