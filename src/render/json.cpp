// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "vggplan/render/render.hpp"

namespace vggplan::render {

namespace {

/// Names that came from outside may hold broken UTF-8, which JSON cannot: U+FFFD takes its place. DEL and U+0080 to
/// U+009F, which JSON allows and terminals obey, are escaped like the other control characters.
std::string dumped(const Document& report, int indent) {
  std::string text;
  for (const char c : report.dump(indent, ' ', false, Document::error_handler_t::replace)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte == 0x7f) {
      text += "\\u007f";
    } else if (!text.empty() && text.back() == '\xc2' && byte < 0xa0) {
      text.pop_back();
      text += fmt::format("\\u00{:02x}", byte);
    } else {
      text += c;
    }
  }
  return text + "\n";
}

}  // namespace

std::string json(const Document& report) { return dumped(report, 2); }

std::string json_line(const Document& report) { return dumped(report, -1); }

}  // namespace vggplan::render
