// SPDX-License-Identifier: MIT
#include "render/figures.hpp"
#include "render/style.hpp"
#include "render/tables.hpp"

namespace vggplan::render {

namespace {

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
