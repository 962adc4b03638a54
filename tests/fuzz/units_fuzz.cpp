// SPDX-License-Identifier: MIT
// Sizes and durations typed by users: any text gives a value in range or a diagnostic with a remedy.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "vggplan/base/checked.hpp"
#include "vggplan/base/format.hpp"

namespace {

using namespace vggplan::base;

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

bool is_printable(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20) {
      return false;
    }
  }
  return true;
}

void require_readable(const Diagnostic& error) {
  require(error.place == "--flag" && !error.remedy.empty() && is_printable(error.rule));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto bytes = parse_bytes(text, "--flag")) {
    require(bytes->count() >= 0 && bytes->count() <= kLargestExact);
    require(parse_bytes(format_bytes(*bytes), "--flag").has_value());
  } else {
    require_readable(bytes.error());
  }
  if (const auto time = parse_duration(text, "--flag")) {
    require(time->count() >= 0 && !format_seconds(*time).empty());
  } else {
    require_readable(time.error());
  }
  return 0;
}
