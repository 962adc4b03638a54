// SPDX-License-Identifier: MIT
#include <string>

#include "support/catch.hpp"
#include "vggplan/base/checked.hpp"
#include "vggplan/base/format.hpp"

namespace vggplan::base {
namespace {

std::int64_t bytes(std::string_view text) {
  const Result<Bytes> size = parse_bytes(text, "--size");
  INFO(text);
  REQUIRE(size);
  return size->count();
}

Diagnostic size_error(std::string_view text) {
  const Result<Bytes> size = parse_bytes(text, "--usable-memory");
  INFO(text);
  REQUIRE_FALSE(size);
  return size.error();
}

double seconds(std::string_view text) {
  const Result<Seconds> time = parse_duration(text, "--deadline");
  INFO(text);
  REQUIRE(time);
  return time->count();
}

Diagnostic duration_error(std::string_view text) {
  const Result<Seconds> time = parse_duration(text, "--deadline");
  INFO(text);
  REQUIRE_FALSE(time);
  return time.error();
}

TEST_CASE("a number is digits, a point and an exponent, and the whole text") {
  CHECK(parse_number("1.5") == 1.5);
  CHECK(parse_number("-2e3") == -2000);
  CHECK(parse_number(".5") == 0.5);
  CHECK(parse_number("0.1") == 0.1);  // to the last bit, as the compiler reads it
  CHECK(parse_number("123456789.123456789") == 123456789.123456789);
  for (const char* text :
       {"", "+1", " 1", "1 ", "0x10", "inf", "nan", "1,5", "1e", "--1", "1e999", "1e-999", "e5", "."}) {
    INFO(text);
    CHECK_FALSE(parse_number(text));
  }
  CHECK_FALSE(parse_number(std::string_view("1\0", 2)));
}

TEST_CASE("binary and decimal units mean what they say") {
  CHECK(bytes("40GiB") == 42'949'672'960);
  CHECK(bytes("40GB") == 40'000'000'000);
  CHECK(bytes("512MiB") == 536'870'912);
  CHECK(bytes("1.5TiB") == 1'649'267'441'664);
  CHECK(bytes("1.5TB") == 1'500'000'000'000);
  CHECK(bytes("3kB") == 3000);
  CHECK(bytes("3KiB") == 3072);
  CHECK(bytes("2PB") == 2'000'000'000'000'000);
  CHECK(bytes("2PiB") == 2'251'799'813'685'248);
  CHECK(bytes("7B") == 7);
}

TEST_CASE("a number alone counts bytes") {
  CHECK(bytes("123456") == 123'456);
  CHECK(bytes("0") == 0);
  CHECK(bytes("007") == 7);
}

TEST_CASE("the case of a unit and a space before it do not matter") {
  CHECK(bytes("40gib") == bytes("40GiB"));
  CHECK(bytes("40gb") == bytes("40GB"));
  CHECK(bytes("40 GiB") == bytes("40GiB"));
}

TEST_CASE("fractions are rounded to the nearest byte") {
  CHECK(bytes("0.5KiB") == 512);
  CHECK(bytes("0.1GB") == 100'000'000);
  CHECK(bytes("0.3GB") == 300'000'000);
  CHECK(bytes("1.0001KiB") == 1024);
  CHECK(bytes("79.99GiB") == 85'888'608'502);  // 79.99 * 2^30 = 85,888,608,501.76
  CHECK(bytes("1.00000000000000000000000000000000001GiB") == 1'073'741'824);
}

TEST_CASE("sizes that are shown can be read back") {
  for (const Bytes size : {Bytes(0), Bytes(37), 512 * kMiB, 40 * kGiB, Bytes(1LL << 50)}) {
    CHECK(bytes(format_bytes(size)) == size.count());
  }
}

TEST_CASE("sizes up to the largest exact count are accepted, none above") {
  CHECK(bytes("9007199254740992") == kLargestExact);
  CHECK(bytes("8PiB") == kLargestExact);
  for (const char* text : {"9007199254740993", "8.1PiB", "9.1PB", "9223372036854775808", "18446744073709551617",
                           "99999999999999999999999999999999GiB", "9000PiB"}) {
    const Diagnostic error = size_error(text);
    CHECK(error.rule == "'" + std::string(text) + "' is more than 8 PiB, the largest size that is counted");
    CHECK(error.remedy == "check the unit");
    CHECK(error.fault == Fault::question);
  }
}

TEST_CASE("a negative size is refused with the rule and a remedy") {
  const Diagnostic error = size_error("-4GiB");
  CHECK(error.place == "--usable-memory");
  CHECK(error.rule == "a size cannot be negative, as '-4GiB' is");
  CHECK(error.remedy == "write a number and a unit, such as 40GiB, 40GB, 512MiB or 1.5TB; a number alone counts bytes");
}

TEST_CASE("text that is no size is refused") {
  for (const char* text :
       {"",    " ",   "GiB",   "x",         ".",   ".5GiB",  "5.GiB",   "1,000", "1_000", "1e9",    "+5GiB", "0x10",
        "nan", "inf", "4GiB!", "4GiB 2MiB", "10%", "4 Gi B", "1..5GiB", " 1",    "1 ",    " 40GiB", "40GiB "}) {
    const Diagnostic error = size_error(text);
    INFO(text);
    CHECK_FALSE(error.remedy.empty());
    CHECK(error.rule.find("'" + std::string(text) + "'") != std::string::npos);
  }
  CHECK(size_error("1.5").rule == "'1.5' is not a whole number of bytes");
  CHECK(size_error("1.5B").rule == "'1.5B' is not a whole number of bytes");
}

TEST_CASE("an unknown unit is named") {
  CHECK(size_error("40GX").rule == "unknown unit 'GX' in the size '40GX'");
  CHECK(size_error("40Gbit").rule == "unknown unit 'Gbit' in the size '40Gbit'");
}

TEST_CASE("a prefix without B is refused, since it may be decimal or binary") {
  CHECK(size_error("40G").rule == "the unit of '40G' may be decimal or binary");
  CHECK(size_error("40G").remedy == "write GB (powers of 1000) or GiB (powers of 1024)");
}

TEST_CASE("durations are sums of units") {
  CHECK(seconds("24h") == 86'400);
  CHECK(seconds("90min") == 5400);
  CHECK(seconds("90m") == 5400);
  CHECK(seconds("30s") == 30);
  CHECK(seconds("2d") == 172'800);
  CHECK(seconds("1h30min") == 5400);
  CHECK(seconds("1d 2h 3min 4s") == 93'784);
  CHECK(seconds("1.5h") == Approx(5400));
  CHECK(seconds("0s") == 0);
}

TEST_CASE("text that is no duration is refused with the rule and a remedy") {
  CHECK(duration_error("24").rule == "the duration '24' lacks a unit");
  CHECK(duration_error("-1h").rule == "a duration cannot be negative, as '-1h' is");
  CHECK(duration_error("3weeks").rule == "unknown unit 'weeks' in the duration '3weeks'");
  CHECK(duration_error("30min1h").rule == "the units of '30min1h' do not go from long to short");
  CHECK(duration_error("1h1h").rule == "the units of '1h1h' do not go from long to short");
  CHECK(duration_error("1min2m").rule == "the units of '1min2m' do not go from long to short");
  CHECK(duration_error("200000d").rule == "'200000d' is more than a hundred years");
  CHECK(duration_error("99999999999999999999999s").rule == "'99999999999999999999999s' is more than a hundred years");
  for (const char* text : {"", " ", "soon", "h", "1h!", "1..5h", ".5h", "inf", "1e3s", " 1h", "1h ", "1 "}) {
    const Diagnostic error = duration_error(text);
    CHECK(error.place == "--deadline");
    CHECK(error.fault == Fault::question);
    CHECK_FALSE(error.remedy.empty());
  }
}

}  // namespace
}  // namespace vggplan::base
