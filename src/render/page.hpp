// SPDX-License-Identifier: MIT
// What a report says, block by block and before any format. pages.hpp builds it, once for all formats; text.cpp,
// markdown.cpp and html.cpp write it, and know nothing of reports. How formats differ is said by the blocks: text fills
// one screen by their depth, Markdown folds sections, HTML alone draws charts.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "render/table.hpp"

namespace vggplan::render {

/// What text shows unless it is asked for all: `always`, then `likely` and `spare` as far as the screen has room.
/// Markdown and HTML show everything.
enum class Depth { always, likely, spare, full };

struct Fact {
  std::string label{};
  std::string value{};
  std::string range{};  ///< how sure, or where from; may be empty
};
struct Facts {
  std::vector<Fact> rows{};
  [[nodiscard]] bool empty() const { return rows.empty(); }
};

/// A part of a whole. Text draws it from `from` to `to` (fractions of the line), the others list it.
struct Bar {
  std::string label{};
  std::string figure{};
  std::string share{};
  std::string range{};
  double from{};
  double to{};
  enum class Kind { part, space, limit } kind{Kind::part};  ///< used, left over, or the mark of a limit at `from`
};
struct Bars {
  std::vector<std::string> heads{};  ///< of label, figure, share and range, where they are listed
  std::vector<Bar> rows{};
  std::vector<Bar> brief{};  ///< the same with small parts put together: for one screen
};

struct Prose {
  std::string text{};
};

/// Sentences, each with what belongs below it. Notes are what the reader should mind.
struct Item {
  std::string text{};
  std::string below{};
  Depth depth{Depth::always};  ///< of the text; what is below it is shown where there is room
};
struct List {
  std::vector<Item> items{};
  bool notes{false};
  [[nodiscard]] bool empty() const { return items.empty(); }
};

/// To be copied; a shell's lines go on behind a backslash.
struct CodeLine {
  std::string text{};
  bool shell{false};
};
struct Code {
  std::vector<CodeLine> lines{};
  [[nodiscard]] bool empty() const { return lines.empty(); }
};

/// A place for assets/page.js to draw in. What it shows stands in a table, too.
struct Chart {
  std::string id{};
  std::string label{};
  double rem{20};  ///< height
};

struct Block {
  Depth depth{Depth::always};
  std::variant<Facts, Bars, Table, Prose, List, Code, Chart> content{};
};

struct Section {
  std::string title{};  ///< may be empty
  std::vector<Block> blocks{};
  bool folded{false};   ///< in Markdown
  std::string right{};  ///< the figure that the section is about; may be empty
};

/// What comes first. All but the title may be empty.
struct Headline {
  std::string title{};  ///< "Training vgg16 at 4024 x 3036"
  std::string on{};     ///< "4 x NVIDIA A100 SXM4 80GB"
  Tone tone{Tone::plain};
  std::string verdict{};   ///< "Fits"
  std::string detail{};    ///< what follows the verdict
  std::string settings{};  ///< "batch 4 per GPU, 16 in all, amp-bf16, nhwc ..."
  std::vector<Fact> facts{};
};

struct Page {
  Headline head{};
  std::vector<Section> sections{};  ///< none without blocks
};

/// Facts and bars as tables, for formats that list them.
Table as_table(const Facts& facts);
Table as_table(const Bars& bars);

std::string write_text(const Page& page, const TextOptions& options);
std::string write_markdown(const Page& page);
/// The elements inside <main>.
std::string write_html(const Page& page);

std::string escape_html(std::string_view text);
std::string escape_markdown(std::string_view text);

}  // namespace vggplan::render
