// SPDX-License-Identifier: MIT
#include "accuracy/figures/document.hpp"

#include "support/catch.hpp"
#include "support/files.hpp"

namespace vggplan::accuracy {
namespace {

TEST_CASE("docs/accuracy.md says what the program does") {
  INFO("cmake --build <folder> --target accuracy_docs writes it anew");
  CHECK((test::repository_file("docs/accuracy.md") == document()));
}

}  // namespace
}  // namespace vggplan::accuracy
