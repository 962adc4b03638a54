// SPDX-License-Identifier: MIT
#include "launch/fill.hpp"

#include <stdexcept>

#include "launch/templates.hpp"
#include "support/catch.hpp"

namespace vggplan::launch {
namespace {

const Values kValues{{"N", "8"}, {"LIST", "a:\n  - b"}, {"NONE", std::nullopt}, {"AT", "@N@"}};

TEST_CASE("names between at signs are replaced, and nothing else is") {
  CHECK(fill("", kValues).empty());
  CHECK(fill("one\n\ntwo\n", kValues) == "one\n\ntwo\n");
  CHECK(fill("x: @N@x@N@\n", kValues) == "x: 8x8\n");
  CHECK(fill("TERM@120 a@b.c $@ \"$@\" @n@ @@ @N", kValues) == "TERM@120 a@b.c $@ \"$@\" @n@ @@ @N\n");
  CHECK(fill("@@N@\n", kValues) == "@8\n");
}

TEST_CASE("a value is not read as a template again") { CHECK(fill("@AT@\n", kValues) == "@N@\n"); }

TEST_CASE("a line whose value does not apply is left out") {
  CHECK(fill("first\n  x: @NONE@ of @N@\nlast\n", kValues) == "first\nlast\n");
}

TEST_CASE("further lines of a value are indented like the first") {
  CHECK(fill("  @LIST@\n", kValues) == "  a:\n    - b\n");
}

TEST_CASE("a name that is not known is a fault of the program") {
  CHECK_THROWS_AS(fill("@OTHER@\n", kValues), std::out_of_range);
}

TEST_CASE("the program that trains has no placeholders: it reads the plan") {
  int programs = 0;
  for (const base::EmbeddedFile& file : template_files()) {
    if (file.path.ends_with(".py")) {
      CHECK(fill(file.text, {}) == file.text);
      ++programs;
    }
  }
  CHECK(programs == 2);
}

}  // namespace
}  // namespace vggplan::launch
