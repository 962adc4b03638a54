// SPDX-License-Identifier: MIT
// Pages on a terminal: one screen of what matters most, or everything.
#include <fmt/format.h>

#include <algorithm>

#include "render/pages.hpp"
#include "render/style.hpp"

namespace vggplan::render {

namespace {

/// A terminal of 40 rows, less the prompt that comes behind.
constexpr std::size_t kScreen = 39;
constexpr std::string_view kMore = "--verbose tells the rest; --json has all figures, --format html charts";

/// `text` behind `first`, and further lines behind as many spaces as `first` or `indent` has columns.
std::string paragraph(const Style& style, std::string_view first, std::string_view text, std::size_t indent = 0) {
  indent = std::max(indent, width(first));
  const std::size_t columns = std::max<std::size_t>(style.columns(), indent + 20) - indent;
  std::string result;
  for (const std::string& line : wrap(text, columns)) {
    result += (result.empty() ? std::string(first) : std::string(indent, ' ')) + line + "\n";
  }
  return result;
}

/// "  label   value   (range)", the range on lines of its own where there is no room.
std::string text_facts(const Style& style, const std::vector<Fact>& facts) {
  std::size_t label = 0;
  for (const Fact& fact : facts) {
    label = std::max(label, width(fact.label));
  }
  const std::size_t indent = label + 4;
  std::string text;
  for (const Fact& fact : facts) {
    const std::string first = "  " + pad_right(fact.label, label) + "  ";
    const std::string range = fact.range.empty() ? "" : "(" + fact.range + ")";
    const std::string value = fact.value.empty() ? first + "\n" : paragraph(style, first, fact.value);
    const std::size_t last = width(value) - 1 - value.rfind('\n', value.size() - 2) - 1;
    if (range.empty()) {
      text += value;
    } else if (last + 2 + width(range) <= style.columns()) {
      text += value.substr(0, value.size() - 1) + "  " + style.dim(range) + "\n";
    } else {
      text += value + style.dim(paragraph(style, std::string(indent, ' '), range));
    }
  }
  return text;
}

std::string text_bars(const Style& style, const std::vector<Bar>& bars) {
  constexpr std::size_t kLabel = 22;
  constexpr std::size_t kFigure = 11;
  constexpr std::size_t kShare = 6;
  constexpr std::size_t kUsed = 2 + kLabel + kFigure + 1 + kShare + 2;
  const std::size_t columns = std::max<std::size_t>(style.columns(), kUsed + 8) - kUsed;
  std::string text;
  std::size_t category = 0;
  for (const Bar& bar : bars) {
    std::string drawn;
    switch (bar.kind) {
      case Bar::Kind::part: drawn = style.category(category++, style.bar(bar.from, bar.to, columns)); break;
      case Bar::Kind::space: drawn = style.dim(style.bar(bar.from, bar.to, columns, true)); break;
      case Bar::Kind::limit:
        drawn = std::string(static_cast<std::size_t>(bar.from * static_cast<double>(columns)), ' ') +
                style.tinted(Tone::bad, "^ the limit");
        break;
    }
    text += trimmed_end(fmt::format("  {}{} {}  {}", pad_right(bar.label, kLabel), pad_left(bar.figure, kFigure),
                                    pad_left(bar.share, kShare), drawn)) +
            "\n";
  }
  return text;
}

std::string text_code(const Style& style, const Code& code) {
  std::string text;
  for (const CodeLine& line : code.lines) {
    const std::string indent(2 + std::min(line.text.find_first_not_of(' '), line.text.size()), ' ');
    const std::vector<std::string> pieces = wrap(line.text, style.columns() - 4 - indent.size());
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      const bool goes_on = line.shell && i + 1 < pieces.size();
      text += indent + (i == 0 ? "" : "    ") + pieces[i] + (goes_on ? " \\\n" : "\n");
    }
  }
  return text;
}

/// What is shown together or not at all.
struct Piece {
  std::size_t section{};
  Depth depth{};
  std::string text{};
  bool shown{};
};

class Writer {
 public:
  Writer(const Page& page, const TextOptions& options) : page_(page), style_(options) {
    for (std::size_t i = 0; i < page.sections.size(); ++i) {
      for (const Block& block : page.sections[i].blocks) {
        section_ = i;
        depth_ = block.depth;
        std::visit([this](const auto& content) { put(content); }, block.content);
      }
    }
  }

  [[nodiscard]] std::string text() {
    const std::string head = headline();
    choose(lines(head));
    std::string text = head;
    std::size_t open = page_.sections.size();
    for (const Piece& piece : pieces_) {
      if (piece.shown) {
        text += (piece.section == open ? "" : "\n" + heading(page_.sections[piece.section])) + piece.text;
        open = piece.section;
      }
    }
    const bool all = std::all_of(pieces_.begin(), pieces_.end(), [](const Piece& piece) { return piece.shown; });
    return text + (all ? "" : "\n" + paragraph(style_, "", kMore));
  }

 private:
  static std::size_t lines(std::string_view text) { return static_cast<std::size_t>(std::ranges::count(text, '\n')); }

  void put_text(Depth depth, std::string text) {
    if (!text.empty()) {
      pieces_.push_back({section_, std::max(depth, depth_), std::move(text), false});
    }
  }
  void put(const Facts& facts) { put_text(depth_, text_facts(style_, facts.rows)); }
  void put(const Bars& bars) { put_text(depth_, text_bars(style_, style_.verbose() ? bars.rows : bars.brief)); }
  void put(const Table& table) {
    put_text(depth_, text_table(table, style_, page_.sections[section_].title.empty() ? "" : "  "));
  }
  void put(const Prose& prose) { put_text(depth_, paragraph(style_, "  ", prose.text)); }
  void put(const List& list) {
    for (const Item& item : list.items) {
      put_text(item.depth, paragraph(style_, list.notes ? "! " : "  - ", item.text));
      put_text(list.notes ? Depth::spare : item.depth, paragraph(style_, list.notes ? "  " : "      ", item.below));
    }
  }
  void put(const Code& code) { put_text(depth_, text_code(style_, code)); }
  void put(const Chart& /*chart*/) {}

  /// Marks what is shown: everything, or what fits behind `used` lines, by depth and then in the page's order. Where a
  /// section has no room for a piece, what follows there must wait, too.
  void choose(std::size_t used) {
    std::vector<bool> opened(page_.sections.size(), false);
    std::vector<bool> full(page_.sections.size(), false);
    used += 2;  // the line that tells of more
    for (const Depth depth : {Depth::always, Depth::likely, Depth::spare, Depth::full}) {
      for (Piece& piece : pieces_) {
        if (piece.depth != depth) {
          continue;
        }
        const std::size_t i = piece.section;
        const std::size_t needed = lines(piece.text) + (opened[i] ? 0 : 1 + lines(heading(page_.sections[i])));
        piece.shown = style_.verbose() || depth == Depth::always ||
                      (depth != Depth::full && !full[i] && used + needed <= kScreen);
        used += piece.shown ? needed : 0;
        opened[i] = opened[i] || piece.shown;
        full[i] = full[i] || !piece.shown;
      }
    }
  }

  /// The title, with the figure that it is about at the right end of the line.
  [[nodiscard]] std::string heading(const Section& section) const {
    if (section.title.empty()) {
      return "";
    }
    const std::size_t used = width(section.title) + width(section.right);
    const std::string gap = used + 1 < style_.columns() ? std::string(style_.columns() - used, ' ')
                                                        : "\n" + pad_left("", style_.columns() - width(section.right));
    return style_.bold(section.title) + (section.right.empty() ? "" : gap + section.right) + "\n";
  }

  [[nodiscard]] std::string headline() const {
    const Headline& head = page_.head;
    std::string text = paragraph(style_, "", head.title);
    text = style_.bold(text.substr(0, text.size() - 1)) + "\n";
    text += head.on.empty() ? "" : paragraph(style_, "on ", head.on);
    if (!head.verdict.empty()) {
      const std::string answer = head.verdict + (head.detail.empty() ? "" : ": " + head.detail);
      std::string line = paragraph(style_, "  ", answer, 4);
      if (line.compare(2, head.verdict.size(), head.verdict) == 0) {
        line.replace(2, head.verdict.size(), style_.tinted(head.tone, head.verdict));
      }
      text += "\n" + line;
    }
    text += head.settings.empty() ? "" : paragraph(style_, "  with ", head.settings);
    return text + (head.facts.empty() ? "" : "\n" + text_facts(style_, head.facts));
  }

  const Page& page_;
  Style style_;
  std::size_t section_{};
  Depth depth_{};
  std::vector<Piece> pieces_{};
};

}  // namespace

std::string write_text(const Page& page, const TextOptions& options) { return Writer(page, options).text(); }

std::string text(const Document& report, const TextOptions& options) {
  const Document clean = cleaned(report, !options.unicode);
  return report::kind(clean) == report::Kind::sweep ? text_points(clean.at("points"), options)
                                                    : write_text(page_of(clean), options);
}

}  // namespace vggplan::render
