// SPDX-License-Identifier: MIT
// The formats that programs read.
#include <fmt/format.h>

#include "render/figures.hpp"
#include "render/style.hpp"

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

/// Spreadsheets run a text that begins like this as a formula. An apostrophe before it makes it text again (OWASP, CSV
/// injection). Numbers are not texts: -5 stays as it is.
std::string defused(const std::string& text) { return text.find_first_of("=+-@\t\r") == 0 ? "'" + text : text; }

std::string csv_field(const Document& raw) {
  if (raw.is_null()) {
    return "";
  }
  const bool words = raw.is_string() || raw.is_array();
  const std::string text = words ? defused(figure("", raw)) : raw.dump();
  if (text.find_first_of(",\"\r\n") == std::string::npos) {
    return text;
  }
  std::string quoted = "\"";
  for (const char c : text) {
    quoted += c == '"' ? "\"\"" : std::string(1, c);
  }
  return quoted + "\"";
}

}  // namespace

std::string json(const Document& report) { return dumped(report, 2); }

std::string json_line(const Document& report) { return dumped(report, -1); }

std::string csv_header(const Table& table) {
  std::string line;
  for (const Column& column : table.columns) {
    line += (line.empty() ? "" : ",") + csv_field(column.key);
  }
  return line + "\n";
}

std::string csv_row(const Row& row) {
  std::string line;
  for (std::size_t i = 0; i < row.size(); ++i) {
    line += (i == 0 ? "" : ",") + csv_field(row[i].raw);
  }
  return line + "\n";
}

std::string csv(const Document& report) {
  const Table table = main_table(cleaned(report));
  std::string text = csv_header(table);
  for (const Row& row : table.rows) {
    text += csv_row(row);
  }
  return text;
}

}  // namespace vggplan::render
