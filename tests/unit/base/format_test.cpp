// SPDX-License-Identifier: MIT
#include "vggplan/base/format.hpp"

#include <cstdint>
#include <limits>

#include "support/catch.hpp"

namespace vggplan::base {
namespace {

TEST_CASE("whole multiples of a binary unit are shown without decimals") {
  CHECK(format_bytes(Bytes(0)) == "0 B");
  CHECK(format_bytes(Bytes(37)) == "37 B");
  CHECK(format_bytes(Bytes(1023)) == "1023 B");
  CHECK(format_bytes(Bytes(1024)) == "1 KiB");
  CHECK(format_bytes(512 * kMiB) == "512 MiB");
  CHECK(format_bytes(40 * kGiB) == "40 GiB");
  CHECK(format_bytes(Bytes(1LL << 40)) == "1 TiB");
}

TEST_CASE("sizes between multiples are rounded, and look rounded") {
  CHECK(format_bytes(Bytes(1536)) == "1.5 KiB");
  CHECK(format_bytes(Bytes(553'648'128)) == "528 MiB");
  CHECK(format_bytes(Bytes(150'109'880'320)) == "139.80 GiB");  // 139.8006... by hand
  CHECK(format_bytes(40 * kGiB + Bytes(1)) == "40.00 GiB");
  CHECK(format_bytes(40 * kGiB - Bytes(1)) == "40.00 GiB");
  CHECK(format_bytes(12 * kMiB + 256 * kKiB) == "12.2 MiB");
}

TEST_CASE("a size that would round to 1024 of a unit moves to the next unit") {
  CHECK(format_bytes(kGiB - Bytes(1)) == "1.00 GiB");
  CHECK(format_bytes(1024 * kGiB - Bytes(1)) == "1.00 TiB");
  CHECK(format_bytes(kMiB - Bytes(1)) == "1.0 MiB");
}

TEST_CASE("a lack of memory is shown as a negative size") {
  CHECK(format_bytes(Bytes(0) - 3 * kGiB) == "-3 GiB");
  CHECK(format_bytes(Bytes(-1536)) == "-1.5 KiB");
}

TEST_CASE("the ends of the 64-bit range are shown") {
  CHECK(format_bytes(Bytes(std::numeric_limits<std::int64_t>::max())) == "8192 PiB");
  CHECK(format_bytes(Bytes(std::numeric_limits<std::int64_t>::min())) == "-8192 PiB");
  CHECK(format_count(std::numeric_limits<std::int64_t>::min()) == "-9,223,372,036,854,775,808");
}

TEST_CASE("storage is shown in decimal units with three digits") {
  CHECK(format_decimal_bytes(Bytes(0)) == "0 B");
  CHECK(format_decimal_bytes(Bytes(999)) == "999 B");
  CHECK(format_decimal_bytes(Bytes(147'000'000'000)) == "147 GB");
  CHECK(format_decimal_bytes(Bytes(147'300'000'000)) == "147 GB");
  CHECK(format_decimal_bytes(Bytes(1'106'908'160)) == "1.11 GB");
  CHECK(format_decimal_bytes(Bytes(14'730'000)) == "14.7 MB");
  CHECK(format_decimal_bytes(Bytes(9'996'000)) == "10.0 MB");
  CHECK(format_decimal_bytes(Bytes(999'700'000)) == "1.00 GB");
  CHECK(format_decimal_bytes(Bytes(2'000'000'000'000)) == "2 TB");
  CHECK(format_decimal_bytes(Bytes(-2'500)) == "-2.50 kB");
}

TEST_CASE("times below a minute have three digits") {
  CHECK(format_seconds(Seconds(0)) == "0 s");
  CHECK(format_seconds(Seconds(0.171)) == "171 ms");
  CHECK(format_seconds(Seconds(0.1714)) == "171 ms");
  CHECK(format_seconds(Seconds(0.01234)) == "12.3 ms");
  CHECK(format_seconds(Seconds(4.5e-6)) == "4.50 us");
  CHECK(format_seconds(Seconds(25e-9)) == "25 ns");
  CHECK(format_seconds(Seconds(1.5)) == "1.50 s");
  CHECK(format_seconds(Seconds(0.9999)) == "1.00 s");
  CHECK(format_seconds(Seconds(59.94)) == "59.9 s");
}

TEST_CASE("longer times have two units, with a carry where they round up") {
  CHECK(format_seconds(Seconds(59.96)) == "1 min 00 s");
  CHECK(format_seconds(Seconds(60)) == "1 min 00 s");
  CHECK(format_seconds(Seconds(303)) == "5 min 03 s");
  CHECK(format_seconds(Seconds(3599.4)) == "59 min 59 s");
  CHECK(format_seconds(Seconds(3599.6)) == "1 h 00 min");
  CHECK(format_seconds(Seconds(2 * 3600 + 5 * 60)) == "2 h 05 min");
  CHECK(format_seconds(Seconds(47 * 3600 + 59 * 60)) == "47 h 59 min");
  CHECK(format_seconds(Seconds(48 * 3600)) == "2 d 00 h");
  CHECK(format_seconds(Seconds(76 * 3600)) == "3 d 04 h");
  CHECK(format_seconds(Seconds(1234 * 86'400.0)) == "1,234 d 00 h");
  CHECK(format_seconds(Seconds(-303)) == "-5 min 03 s");
}

TEST_CASE("no time is too odd to be shown") {
  CHECK(format_seconds(Seconds(std::numeric_limits<double>::infinity())) == "inf s");
  CHECK(format_seconds(Seconds(1e300)) == "1.00e+300 s");
  CHECK_FALSE(format_seconds(Seconds(5e-324)).empty());
}

TEST_CASE("counts have a separator every three digits") {
  CHECK(format_count(0) == "0");
  CHECK(format_count(999) == "999");
  CHECK(format_count(1000) == "1,000");
  CHECK(format_count(138'357'544) == "138,357,544");
  CHECK(format_count(-138'357) == "-138,357");
}

TEST_CASE("rates and work are scaled by powers of 1000 and keep three digits") {
  CHECK(format_scaled(15'470'264'320.0, "MAC") == "15.5 GMAC");
  CHECK(format_scaled(989.4e12, "FLOP/s") == "989 TFLOP/s");
  CHECK(format_scaled(2e12, "FLOP") == "2 TFLOP");
  CHECK(format_scaled(0, "FLOP") == "0 FLOP");
  CHECK(format_scaled(0.5, "images/s") == "0.500 images/s");
  CHECK(format_scaled(999.6, "B/s") == "1.00 kB/s");
  CHECK(format_scaled(-2500, "B/s") == "-2.50 kB/s");
  CHECK(format_scaled(std::numeric_limits<double>::infinity(), "B/s") == "inf B/s");
}

TEST_CASE("amounts of money have cents and separators") {
  CHECK(format_usd(Usd(12.4)) == "$12.40");
  CHECK(format_usd(Usd(0)) == "$0.00");
  CHECK(format_usd(Usd(1234567.891)) == "$1,234,567.89");
  CHECK(format_usd(Usd(0.001)) == "<$0.01");
  CHECK(format_usd(Usd(-3)) == "-$3.00");
}

TEST_CASE("quoted text can neither steer a terminal nor break the encoding of a report") {
  CHECK(base::quoted("a100") == "'a100'");
  CHECK(base::quoted("") == "''");
  CHECK(base::quoted("\x1b[31mred") == "'\\x1b[31mred'");
  CHECK(base::quoted("a\nb\x7f") == "'a\\x0ab\\x7f'");
  CHECK(base::quoted("Bücher €") == "'Bücher €'");
  CHECK(base::quoted("\xc3") == "'\\xc3'");                    // cut in the middle of a character
  CHECK(base::quoted("\xed\xa0\x80") == "'\\xed\\xa0\\x80'");  // a surrogate
  CHECK(base::quoted("\xc2\x9b") == "'\\xc2\\x9b'");           // the C1 form of escape [
  CHECK(base::quoted("\xc0\xaf") == "'\\xc0\\xaf'");           // overlong
}

TEST_CASE("characters that hide or turn the direction of writing are not shown as they are") {
  // U+202E, U+2066, U+200B, U+FEFF, U+2028, U+00AD, U+061C, U+E0041: what "gnp.exe" needs to look like "exe.png".
  for (const std::string text : {"\xe2\x80\xae", "\xe2\x81\xa6", "\xe2\x80\x8b", "\xef\xbb\xbf", "\xe2\x80\xa8",
                                 "\xc2\xad", "\xd8\x9c", "\xf3\xa0\x81\x81"}) {
    CHECK(base::quoted("a" + text + "b").find(text) == std::string::npos);
    CHECK(base::printable("a" + text + "b") == "a?b");
  }
  // Their neighbours are shown: U+2010, U+2030, U+2070, U+FEFE has no character, U+00AE, U+0627.
  for (const std::string text : {"\xe2\x80\x90", "\xe2\x80\xb0", "\xe2\x81\xb0", "\xc2\xae", "\xd8\xa7", "×", "€"}) {
    CHECK(base::quoted(text) == "'" + text + "'");
    CHECK(base::printable(text) == text);
  }
  CHECK(base::printable("a\x1b[31m\xc2\x9b"
                        "b\xff\xc3") == "a?[31m?b??");
}

TEST_CASE("quoted text is cut when it is long") {
  CHECK(base::quoted(std::string(60, 'x')) == "'" + std::string(60, 'x') + "'");
  CHECK(base::quoted(std::string(100'000, 'x')) == "'" + std::string(60, 'x') + "...'");
}

}  // namespace
}  // namespace vggplan::base
