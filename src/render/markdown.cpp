// SPDX-License-Identifier: MIT
// Pages for a comment on a pull request: what is folded opens with a click.
#include <fmt/format.h>

#include <cctype>

#include "render/pages.hpp"
#include "render/style.hpp"

namespace vggplan::render {

namespace {

std::string_view mark(Tone tone) { return toned(tone, {"", "✅ ", "⚠️ ", "❌ "}); }

std::string in_markdown(const Table& table) {
  std::string head = "|";
  std::string rule = "|";
  for (const Column& column : table.columns) {
    head += " " + escape_markdown(column.heading) + " |";
    rule += column.align == Align::left ? " --- |" : " ---: |";
  }
  std::string text = head + "\n" + rule + "\n";
  for (const Row& row : table.rows) {
    text += "|";
    for (const Cell& cell : row) {
      text += fmt::format(" {}{} |", mark(cell.tone), escape_markdown(cell.shown));
    }
    text += "\n";
  }
  return text;
}

std::string in_markdown(const Facts& facts) { return in_markdown(as_table(facts)); }
std::string in_markdown(const Bars& bars) { return in_markdown(as_table(bars)); }
std::string in_markdown(const Prose& prose) { return escape_markdown(prose.text) + "\n"; }
std::string in_markdown(const Chart& /*chart*/) { return ""; }

std::string in_markdown(const List& list) {
  std::string text;
  for (const Item& item : list.items) {
    const std::string below = item.below.empty() ? "" : (list.notes ? ": " : "; ") + escape_markdown(item.below);
    text += (list.notes ? "> " : "- ") + escape_markdown(item.text) + below + (list.notes ? "\n>\n" : "\n");
  }
  return text;
}

/// Between fences longer than any row of backticks inside, so that no line can end the block.
std::string in_markdown(const Code& code) {
  std::string lines;
  std::string fence = "```";
  for (const CodeLine& line : code.lines) {
    lines += line.text + "\n";
    while (line.text.find(fence) != std::string::npos) {
      fence += "`";
    }
  }
  return fmt::format("{}\n{}{}\n", fence, lines, fence);
}

std::string in_markdown(const Headline& head) {
  std::string text = "### " + escape_markdown(head.title);
  text += head.on.empty() ? "\n" : " on " + escape_markdown(head.on) + "\n";
  if (!head.verdict.empty()) {
    text += fmt::format("\n{}**{}**{}\n", mark(head.tone), escape_markdown(head.verdict),
                        head.detail.empty() ? "" : ": " + escape_markdown(head.detail));
  }
  text += head.settings.empty() ? "" : "\nwith " + escape_markdown(head.settings) + "\n";
  return text + (head.facts.empty() ? "" : "\n" + in_markdown(Facts{head.facts}));
}

std::string in_markdown(const Section& section) {
  std::string body;
  for (const Block& block : section.blocks) {
    const std::string text = std::visit([](const auto& content) { return in_markdown(content); }, block.content);
    body += text.empty() ? "" : "\n" + text;
  }
  if (body.empty()) {
    return "";
  }
  const std::string title = section.title + (section.right.empty() ? "" : ": " + section.right);
  if (section.folded) {
    return fmt::format("\n<details><summary>{}</summary>\n{}\n</details>\n", escape_html(title), body);
  }
  return (section.title.empty() ? "" : fmt::format("\n#### {}\n", escape_markdown(title))) + body;
}

bool is_word(std::string_view text, std::size_t at) {
  return at < text.size() && std::isalnum(static_cast<unsigned char>(text[at])) != 0;
}

/// Where GitHub would make a link of what follows: a name, an issue, an address. A space of no width stops it.
bool begins_link(std::string_view text, std::size_t at) {
  return ((text[at] == '@' || text[at] == '#') && is_word(text, at + 1)) || text.substr(at).starts_with("://") ||
         (text[at] == '-' && at >= 2 && text.substr(at - 2, 2) == "GH") ||
         (text[at] == '.' && at >= 3 && text.substr(at - 3, 3) == "www");
}

}  // namespace

std::string escape_markdown(std::string_view text) {
  constexpr std::string_view kMarkup = "\\`*_[]|~";
  std::string escaped;
  for (std::size_t i = 0; i < text.size(); ++i) {
    // '<' and '&' would start HTML; the others mark up text or end a cell of a table.
    if (text[i] == '&' || text[i] == '<') {
      escaped += text[i] == '&' ? "&amp;" : "&lt;";
      continue;
    }
    escaped += kMarkup.find(text[i]) != std::string_view::npos ? "\\" : "";
    escaped += text[i];
    escaped += begins_link(text, i) ? "&#8203;" : "";
  }
  return escaped;
}

std::string write_markdown(const Page& page) {
  std::string text = in_markdown(page.head);
  for (const Section& section : page.sections) {
    text += in_markdown(section);
  }
  return text;
}

std::string markdown(const Document& report) { return write_markdown(page_of(cleaned(report))); }

}  // namespace vggplan::render
