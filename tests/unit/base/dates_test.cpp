// SPDX-License-Identifier: MIT
#include "vggplan/base/dates.hpp"

#include "support/catch.hpp"

namespace vggplan::base {

TEST_CASE("days are counted as the calendar has them") {
  CHECK(day_number("1970-01-01") == 0);
  CHECK(day_number("2000-03-01") == 11017);  // date -d 2000-03-01 +%s, divided by 86,400
  CHECK(day_number("2026-11-29") == 20786);
  CHECK(*day_number("2024-03-01") - *day_number("2024-02-28") == 2);
  CHECK(*day_number("2100-03-01") - *day_number("2100-02-28") == 1);
}

TEST_CASE("what is no day of the calendar has no number") {
  for (const char* text : {"", "2026", "2026-11", "2026-13-01", "2026-02-29", "2026-1-01", "2026/11/29", "2026-11-29 ",
                           "commit 00148f2 of its source", "-026-11-29"}) {
    CHECK_FALSE(day_number(text));
  }
}

TEST_CASE("an interval of days has a first and a last, and a day is both") {
  CHECK(days("2026-11-29") == Days{20786, 20786});
  CHECK(days("1970-01-01/2026-11-29") == Days{0, 20786});
  for (const char* text : {"", "/", "2026-11-29/", "/2026-11-29", "2026-11-29/2026-11-28", "1970-01-01/1970-01-02/"}) {
    CHECK_FALSE(days(text));
  }
}

}  // namespace vggplan::base
