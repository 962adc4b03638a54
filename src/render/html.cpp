// SPDX-License-Identifier: MIT
// One self-contained page. assets/page.js draws the charts from the report, which the page carries.
#include <fmt/format.h>

#include <algorithm>

#include "render/assets.hpp"
#include "render/pages.hpp"
#include "render/style.hpp"

namespace vggplan::render {

namespace {

std::string_view tone_class(Tone tone) { return toned(tone, {"", "good", "warn", "bad"}); }

std::string element(std::string_view tag, const std::string& text) {
  return text.empty() ? "" : fmt::format("<{0}>{1}</{0}>", tag, escape_html(text));
}

/// How the cells of a column are set: numbers on one line at the right, sentences on as many as the page leaves them.
std::string column_class(const Table& table, std::size_t column) {
  constexpr std::size_t kLongestName = 32;
  if (table.columns[column].align == Align::right) {
    return "n";
  }
  return std::ranges::any_of(table.rows, [&](const Row& row) { return width(row[column].shown) > kLongestName; })
             ? "text"
             : "";
}

std::string table_row(const Row& row, const std::vector<std::string>& classes, std::string_view tag) {
  std::string text = "<tr>";
  for (std::size_t i = 0; i < row.size(); ++i) {
    const std::string kind = classes[i] + std::string(classes[i].empty() || row[i].tone == Tone::plain ? "" : " ") +
                             std::string(tone_class(row[i].tone));
    text += fmt::format("<{0}{1}>{2}</{0}>", tag, kind.empty() ? "" : fmt::format(" class=\"{}\"", kind),
                        escape_html(row[i].shown));
  }
  return text + "</tr>\n";
}

std::string in_html(const Table& table) {
  constexpr std::size_t kMany = 10;
  std::vector<std::string> classes;
  Row heads;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    classes.push_back(column_class(table, i));
    heads.push_back({table.columns[i].heading, {}});
  }
  const bool named = std::any_of(heads.begin(), heads.end(), [](const Cell& head) { return !head.shown.empty(); });
  std::string text =
      fmt::format("<div class=\"scroll\"><table{}>{}<tbody>\n", table.columns.size() < kMany ? "" : " class=\"dense\"",
                  named ? "<thead>" + table_row(heads, classes, "th") + "</thead>" : "");
  for (const Row& row : table.rows) {
    text += table_row(row, classes, "td");
  }
  return text + "</tbody></table></div>\n";
}

std::string in_html(const Facts& facts) { return in_html(as_table(facts)); }
std::string in_html(const Bars& bars) { return in_html(as_table(bars)); }
std::string in_html(const Prose& prose) { return fmt::format("<p class=\"quiet\">{}</p>\n", escape_html(prose.text)); }

std::string in_html(const List& list) {
  std::string items;
  for (const Item& item : list.items) {
    const std::string text = escape_html(item.text) + (item.below.empty() ? "" : " ") + element("small", item.below);
    items += list.notes ? "<p class=\"mind\">" + text + "</p>\n" : "<li>" + text + "</li>\n";
  }
  return list.notes ? items : "<ul>\n" + items + "</ul>\n";
}

std::string in_html(const Code& code) {
  std::string lines;
  for (const CodeLine& line : code.lines) {
    lines += line.text + "\n";
  }
  return "<pre>" + escape_html(lines) + "</pre>\n";
}

std::string in_html(const Chart& chart) {
  return fmt::format(
      "<div class=\"chart\" style=\"height: {}rem\"><canvas id=\"chart-{}\" role=\"img\" "
      "aria-label=\"{}\"></canvas></div>\n",
      chart.rem, chart.id, escape_html(chart.label));
}

std::string in_html(const Headline& head) {
  std::string text = "<header>" + element("h1", head.title) + "\n";
  text += head.on.empty() ? "" : fmt::format("<p class=\"quiet\">on {}</p>\n", escape_html(head.on));
  if (!head.verdict.empty()) {
    text += fmt::format("<p class=\"verdict {}\"><strong>{}</strong>{}{}</p>\n", tone_class(head.tone),
                        escape_html(head.verdict), head.detail.empty() ? "" : ": ", escape_html(head.detail));
  }
  text += head.settings.empty() ? "" : fmt::format("<p>with {}</p>\n", escape_html(head.settings));
  text += head.facts.empty() ? "" : "<dl class=\"facts\">\n";
  for (const Fact& fact : head.facts) {
    text += fmt::format("<div>{}<dd>{}{}</dd></div>\n", element("dt", fact.label), escape_html(fact.value),
                        element("small", fact.range));
  }
  return text + (head.facts.empty() ? "" : "</dl>") + "</header>\n";
}

std::string in_html(const Section& section) {
  std::string text = "<section>";
  if (!section.title.empty()) {
    text += fmt::format("<h2>{}{}</h2>", escape_html(section.title),
                        section.right.empty() ? "" : " <small>" + escape_html(section.right) + "</small>");
  }
  text += "\n";
  for (const Block& block : section.blocks) {
    text += std::visit([](const auto& content) { return in_html(content); }, block.content);
  }
  return text + "</section>\n";
}

/// JSON inside a script element: "</script" and "<!--" must not appear there.
std::string embedded_json(const Document& report) {
  std::string escaped;
  for (const char c : json_line(report)) {
    escaped += c == '<' ? "\\u003c" : std::string(1, c);
  }
  return escaped;
}

/// A page without charts needs no scripts, and is a hundredth of the size.
std::string scripts(const Document& report, const std::string& content) {
  if (content.find("<canvas") == std::string::npos) {
    return "";
  }
  const std::string library = chart_library();
  if (library.empty()) {
    return "<style>.chart { display: none; }</style>\n";
  }
  return fmt::format(
      "<script type=\"application/json\" id=\"report\">{}</script>\n<script>{}</script>\n<script>{}</script>\n",
      embedded_json(report), library, page_script());
}

}  // namespace

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

std::string write_html(const Page& page) {
  std::string text = in_html(page.head);
  for (const Section& section : page.sections) {
    text += in_html(section);
  }
  return text;
}

std::string html(const Document& original) {
  const Document report = cleaned(original);
  const Page page = page_of(report);
  const std::string content = write_html(page);
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n"
      "<style>\n{}</style>\n</head>\n<body>\n<main>\n{}</main>\n<footer>vggplan {}</footer>\n{}</body>\n</html>\n",
      escape_html(page.head.title), page_style(), content,
      escape_html(report.at("tool").at("version").get<std::string>()), scripts(report, content));
}

}  // namespace vggplan::render
