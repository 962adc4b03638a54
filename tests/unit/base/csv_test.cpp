// SPDX-License-Identifier: MIT
#include "vggplan/base/csv.hpp"

#include <random>
#include <string>
#include <vector>

#include "support/catch.hpp"

namespace vggplan::base {
namespace {

std::vector<std::string> texts(std::string_view line) {
  std::vector<std::string> out;
  const Result<std::vector<CsvCell>> cells = csv_cells(line, "f:1");
  REQUIRE(cells);
  for (const CsvCell& cell : *cells) {
    out.push_back(cell.text);
  }
  return out;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("a line of CSV is cut at its commas, save those in quotes") {
  CHECK(texts("a,b") == Texts{"a", "b"});
  CHECK(texts("") == Texts{""});
  CHECK(texts(",") == Texts{"", ""});
  CHECK(texts("a, b ,\r") == Texts{"a", "b", ""});
  CHECK(texts(R"(x,"{'Gpus': [{'Name': 'A100', 'Count': 8}]}",3)") ==
        Texts{"x", "{'Gpus': [{'Name': 'A100', 'Count': 8}]}", "3"});
  CHECK(texts(R"("say ""a,b""",)") == Texts{R"(say "a,b")", ""});
}

TEST_CASE("cells name the column they begin in, and so does what is wrong with them") {
  const auto cells = csv_cells(R"(ab, "c",,d)", "f:7");
  REQUIRE(cells);
  std::vector<std::size_t> columns;
  for (const CsvCell& cell : *cells) {
    columns.push_back(cell.column);
  }
  CHECK(columns == std::vector<std::size_t>{1, 5, 9, 10});
  CHECK(csv_cells(R"(ab,"c)", "f:7").error().place == "f:7:4");
  CHECK(csv_cells(R"(ab,"c"d)", "f:7").error().place == "f:7:7");
  CHECK(csv_cells(std::string(10'000, ','), "f:7").error().place == "f:7");
}

TEST_CASE("cells that are written as RFC 4180 says are read as they were") {
  std::mt19937 random(4180);
  for (int round = 0; round < 300; ++round) {
    Texts wanted(1 + random() % 5);
    std::string line;
    for (std::string& cell : wanted) {
      for (auto i = random() % 6; i > 0; --i) {
        cell += "a,\"'x"[random() % 5];
      }
      std::string doubled;
      for (const char c : cell) {
        doubled += c == '"' ? std::string("\"\"") : std::string(1, c);
      }
      line += (&cell == &wanted.front() ? "\"" : ",\"") + doubled + "\"";
    }
    CHECK(texts(line) == wanted);
  }
}

}  // namespace vggplan::base
