// SPDX-License-Identifier: MIT
#include "accuracy/figures/document.hpp"

#include <fstream>
#include <sstream>

#include "support/catch.hpp"

namespace vggplan::accuracy {
namespace {

TEST_CASE("docs/accuracy.md says what the program does") {
  std::ifstream file(std::string(VGGPLAN_SOURCE_DIR) + "/docs/accuracy.md");
  std::ostringstream text;
  text << file.rdbuf();
  INFO("cmake --build <folder> --target accuracy_docs writes it anew");
  CHECK((text.str() == document()));
}

}  // namespace
}  // namespace vggplan::accuracy
