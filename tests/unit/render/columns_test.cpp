// SPDX-License-Identifier: MIT
// Which columns are shown, and how cells that are too wide are broken.
#include "render/style.hpp"
#include "support/catch.hpp"

namespace vggplan {

namespace {

using render::Align;
using render::Table;

Table fruit() {
  Table table;
  table.columns = {{"name", "fruit", Align::left},
                   {"color", "colour", Align::left, 1},
                   {"seller", "seller", Align::left, 2},
                   {"n", "n"}};
  table.rows = {{{"apple", "apple"}, {"red", "red"}, {"Ann", "Ann"}, {"1", 1}},
                {{"pear", "pear"}, {"red", "red"}, {"Ann", "Ann"}, {"22", 22}}};
  return table;
}

std::vector<std::string> keys(const Table& table) {
  std::vector<std::string> names;
  for (const render::Column& column : table.columns) {
    names.push_back(column.key);
  }
  return names;
}

}  // namespace

TEST_CASE("what is the same in every row is told once", "[render]") {
  const render::Condensed rows = render::condensed(fruit());
  CHECK(keys(rows.table) == std::vector<std::string>{"name", "n"});
  CHECK(rows.shared == "In every row: colour red, seller Ann");
  Table one = fruit();
  one.rows.pop_back();
  CHECK(keys(render::condensed(one).table) == keys(one));
  CHECK(render::condensed(one).shared.empty());
  Table same = fruit();
  same.rows[1] = same.rows[0];
  CHECK(keys(render::condensed(same).table) == keys(same));
}

TEST_CASE("a column that is empty in every row is not shown", "[render]") {
  Table table = fruit();
  table.rows[0][2].shown = table.rows[1][2].shown = "";
  CHECK(keys(render::without_empty_columns(table)) == std::vector<std::string>{"name", "color", "n"});
  table.rows[1][2].shown = "Bob";
  CHECK(keys(render::without_empty_columns(table)) == keys(fruit()));
}

TEST_CASE("the readiest columns yield first, and no more of them than it takes", "[render]") {
  // "apple  red     Ann     22": 5 + 6 + 6 + 2 and three gaps of 2.
  CHECK(keys(render::narrowed(fruit(), 25)) == keys(fruit()));
  CHECK(keys(render::narrowed(fruit(), 24)) == std::vector<std::string>{"name", "color", "n"});
  CHECK(keys(render::narrowed(fruit(), 1)) == std::vector<std::string>{"name", "n"});
}

TEST_CASE("a text too wide for its column goes on below it", "[render]") {
  Table table;
  table.columns = {{"", "what", Align::left}, {"", "n"}};
  table.rows = {{{"one two three four", {}}, {"12", {}}}, {{"abcdefghijklmnopq", {}}, {"3", {}}}};
  const render::Style style({.columns = 16, .color = false, .unicode = true, .verbose = false});
  CHECK(render::text_table(table, style, "") ==
        "what           n\n"
        "one two       12\n"
        "three four\n"
        "abcdefghijkl   3\n"
        "mnopq\n");
}

TEST_CASE("a number is not parted from what it counts", "[render]") {
  CHECK(render::wrap("is 62 % of 27.50 GiB", 6) == std::vector<std::string>{"is", "62 %", "of", "27.50 GiB"});
  CHECK(render::wrap("up to 7", 5) == std::vector<std::string>{"up to", "7"});
}

}  // namespace vggplan
