// SPDX-License-Identifier: MIT
#include "render/table.hpp"

#include <algorithm>

#include "render/figures.hpp"
#include "render/table_spec.hpp"

namespace vggplan::render {

namespace {

std::string csv_field(const Document& raw) {
  if (raw.is_null()) {
    return "";
  }
  const std::string text = raw.is_string() ? raw.get<std::string>() : raw.is_array() ? figure("", raw) : raw.dump();
  if (text.find_first_of(",\"\r\n") == std::string::npos) {
    return text;
  }
  std::string quoted = "\"";
  for (const char c : text) {
    quoted += c == '"' ? "\"\"" : std::string(1, c);
  }
  return quoted + "\"";
}

Cell cell_at(const Spec& spec, const Document& row) {
  const Document::json_pointer pointer{std::string(spec.pointer)};
  if (!row.contains(pointer)) {
    return {};
  }
  const Document& value = row.at(pointer);
  const bool estimated = value.is_object() && value.contains("value");
  return {figure(spec.key, value), estimated ? value.at("value") : value};
}

std::string trimmed_end(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

}  // namespace

Cell cell(std::string_view key, const Document& object) {
  const auto found = object.find(std::string(key));
  if (found == object.end()) {
    return {};
  }
  const bool estimated = found->is_object() && found->contains("value");
  return {figure(key, *found), estimated ? found->at("value") : *found};
}

Table make_table(std::string title, const Document& rows, const std::vector<Spec>& specs) {
  Table table;
  table.title = std::move(title);
  for (const Spec& spec : specs) {
    table.columns.push_back({std::string(spec.key), std::string(spec.heading), spec.align});
  }
  for (const Document& row : rows) {
    std::vector<Cell> cells;
    for (const Spec& spec : specs) {
      cells.push_back(cell_at(spec, row));
    }
    table.rows.push_back(std::move(cells));
  }
  return table;
}

std::vector<std::size_t> column_widths(const Table& table) {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    std::size_t widest = width(table.columns[i].heading);
    for (const std::vector<Cell>& row : table.rows) {
      widest = std::max(widest, width(row.at(i).shown));
    }
    widths.push_back(widest);
  }
  return widths;
}

namespace {

constexpr std::string_view kGap = "  ";
constexpr std::size_t kLongestName = 32;

/// The widest text gives way, column by column, until the row fits.
std::vector<std::size_t> fitted_widths(const Table& table, std::size_t columns) {
  constexpr std::size_t kNarrowest = 12;
  std::vector<std::size_t> widths = column_widths(table);
  std::size_t total = kGap.size() * (widths.empty() ? 0 : widths.size() - 1);
  for (const std::size_t column : widths) {
    total += column;
  }
  for (; total > columns; --total) {
    std::size_t* widest = nullptr;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      const bool can = table.columns[i].align == Align::left && widths[i] > kNarrowest;
      widest = can && (widest == nullptr || widths[i] > *widest) ? &widths[i] : widest;
    }
    if (widest == nullptr) {
      break;
    }
    --*widest;
  }
  return widths;
}

/// One row, on as many lines as its longest cell takes.
std::vector<std::string> text_row(const Table& table, const std::vector<Cell>& row,
                                  const std::vector<std::size_t>& widths) {
  std::vector<std::vector<std::string>> cells;
  std::size_t height = 1;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const bool wraps = width(row[i].shown) > widths[i];
    cells.push_back(wraps ? wrap_and_cut(row[i].shown, widths[i]) : std::vector{row[i].shown});
    height = std::max(height, cells.back().size());
  }
  std::vector<std::string> lines;
  for (std::size_t y = 0; y < height; ++y) {
    std::string line;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const std::string piece = y < cells[i].size() ? cells[i][y] : "";
      line += i == 0 ? "" : kGap;
      line += table.columns[i].align == Align::left ? pad_right(piece, widths[i]) : pad_left(piece, widths[i]);
    }
    lines.push_back(trimmed_end(std::move(line)));
  }
  return lines;
}

}  // namespace

std::string text_table(const Table& table, const Style& style, std::string_view indent) {
  const std::vector<std::size_t> widths = fitted_widths(table, style.columns() - indent.size());
  std::vector<Cell> headings;
  for (const Column& column : table.columns) {
    headings.push_back({column.heading, {}});
  }
  std::string text;
  for (const std::string& line : text_row(table, headings, widths)) {
    text += std::string(indent) + style.dim(line) + "\n";
  }
  for (const std::vector<Cell>& row : table.rows) {
    for (const std::string& line : text_row(table, row, widths)) {
      text += std::string(indent) + line + "\n";
    }
  }
  return text;
}

std::string markdown_table(const Table& table) {
  std::string head = "|";
  std::string rule = "|";
  for (const Column& column : table.columns) {
    head += " " + escape_markdown(column.heading) + " |";
    rule += column.align == Align::left ? " --- |" : " ---: |";
  }
  std::string text = head + "\n" + rule + "\n";
  for (const std::vector<Cell>& row : table.rows) {
    text += "|";
    for (const Cell& item : row) {
      text += " " + escape_markdown(item.shown) + " |";
    }
    text += "\n";
  }
  return text;
}

/// Whether a word of `text` is longer than any name of ours.
bool has_long_word(std::string_view text) {
  const std::vector<std::string> words = wrap(text, 1);
  return std::any_of(words.begin(), words.end(), [](const std::string& word) { return width(word) > kLongestName; });
}

/// How the cells of a column are set: numbers on one line at the right, sentences on as many as the page leaves them.
std::string column_class(const Table& table, std::size_t column) {
  if (table.columns[column].align == Align::right) {
    return " class=\"n\"";
  }
  const auto any = [&](auto holds) {
    return std::any_of(table.rows.begin(), table.rows.end(),
                       [&](const std::vector<Cell>& row) { return holds(row[column].shown); });
  };
  if (!any([](const std::string& text) { return width(text) > kLongestName; })) {
    return "";
  }
  return any(has_long_word) ? " class=\"text address\"" : " class=\"text\"";
}

std::string html_table(const Table& table) {
  constexpr std::size_t kMany = 10;
  std::vector<std::string> classes;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    classes.push_back(column_class(table, i));
  }
  std::string text = "<div class=\"scroll\"><table";
  text += table.columns.size() < kMany ? "" : " class=\"dense\"";
  text += "><thead><tr>";
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    text += "<th scope=\"col\"" + classes[i] + ">" + escape_html(table.columns[i].heading) + "</th>";
  }
  text += "</tr></thead><tbody>\n";
  for (const std::vector<Cell>& row : table.rows) {
    text += "<tr>";
    for (std::size_t i = 0; i < row.size(); ++i) {
      text += "<td" + classes[i] + ">" + escape_html(row[i].shown) + "</td>";
    }
    text += "</tr>\n";
  }
  return text + "</tbody></table></div>\n";
}

std::string csv_header(const Table& table) {
  std::string line;
  for (const Column& column : table.columns) {
    line += (line.empty() ? "" : ",") + csv_field(column.key);
  }
  return line + "\n";
}

std::string csv_row(const std::vector<Cell>& row) {
  std::string line;
  for (std::size_t i = 0; i < row.size(); ++i) {
    line += (i == 0 ? "" : ",") + csv_field(row[i].raw);
  }
  return line + "\n";
}

std::string csv_table(const Table& table) {
  std::string text = csv_header(table);
  for (const std::vector<Cell>& row : table.rows) {
    text += csv_row(row);
  }
  return text;
}

std::string escape_html(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&': escaped += "&amp;"; break;
      case '<': escaped += "&lt;"; break;
      case '>': escaped += "&gt;"; break;
      case '"': escaped += "&quot;"; break;
      case '\'': escaped += "&#39;"; break;
      default: escaped += c;
    }
  }
  return escaped;
}

std::string escape_markdown(std::string_view text) {
  std::string escaped;
  for (const char c : printable(text)) {
    // '<' and '&' would start HTML; the others mark up text or end a cell of a table.
    switch (c) {
      case '&': escaped += "&amp;"; break;
      case '<': escaped += "&lt;"; break;
      case '\\':
      case '`':
      case '*':
      case '_':
      case '[':
      case ']':
      case '|':
      case '~': escaped += '\\'; [[fallthrough]];
      default: escaped += c;
    }
  }
  return escaped;
}

}  // namespace vggplan::render
