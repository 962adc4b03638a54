// SPDX-License-Identifier: MIT
// Pages made by hand, in each format. What is expected was written by hand, too.
#include "render/page.hpp"

#include "support/catch.hpp"

namespace vggplan {

namespace {

using render::Bar;
using render::Depth;
using render::Page;
using render::Tone;

/// One block of each kind.
Page fruit_page() {
  Page page;
  page.head = {"Fruit", "a table", Tone::bad, "Rots", "in a week", "no fridge", {{"weight", "3 kg", "2 to 4 kg"}}};
  render::Bars bars{{"part", "kg", "share", ""}, {}, {}};
  bars.rows = {{"apples", "1 kg", "50 %", "", 0, 0.5, Bar::Kind::part},
               {"pears", "1 kg", "50 %", "", 0.5, 1, Bar::Kind::part}};
  bars.brief = {{"all", "2 kg", "100 %", "", 0, 1, Bar::Kind::part}};
  render::Table table;
  table.columns = {{"name", "fruit", render::Align::left}, {"n", "pieces"}};
  table.rows = {{{"apple", "apple"}, {"12", 12}}, {{"pear", "pear", Tone::bad}, {"3", 3}}};
  page.sections = {{"Parts", {{Depth::likely, bars}}, true, "2 kg"},
                   {"Rows", {{Depth::always, table}, {Depth::full, render::Prose{"Counted twice."}}}},
                   {"", {{Depth::always, render::List{{{"wash them", "with water", Depth::always}}, true}}}},
                   {"Do", {{Depth::always, render::Code{{{"peel --all apples", true}, {"  eat()", false}}}}}},
                   {"Drawn", {{Depth::full, render::Chart{"fruit", "Fruit by weight", 9}}}}};
  return page;
}

std::size_t count(const std::string& text, std::string_view part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++found;
  }
  return found;
}

}  // namespace

TEST_CASE("a page in text", "[render]") {
  const render::TextOptions options{.columns = 60, .color = false, .unicode = false, .verbose = false};
  CHECK(render::write_text(fruit_page(), options) ==
        "Fruit\n"
        "on a table\n"
        "\n"
        "  Rots: in a week\n"
        "  with no fridge\n"
        "\n"
        "  weight  3 kg  (2 to 4 kg)\n"
        "\n"
        "Parts                                                   2 kg\n"
        "  all                          2 kg  100 %  ################\n"
        "\n"
        "Rows\n"
        "  fruit  pieces\n"
        "  apple      12\n"
        "  pear        3\n"
        "\n"
        "! wash them\n"
        "  with water\n"
        "\n"
        "Do\n"
        "  peel --all apples\n"
        "    eat()\n"
        "\n"
        "--verbose tells the rest; --json has all figures, --format\n"
        "html charts\n");
}

TEST_CASE("a page in Markdown", "[render]") {
  CHECK(render::write_markdown(fruit_page()) ==
        "### Fruit on a table\n"
        "\n"
        "❌ **Rots**: in a week\n"
        "\n"
        "with no fridge\n"
        "\n"
        "|  |  |  |\n"
        "| --- | --- | --- |\n"
        "| weight | 3 kg | 2 to 4 kg |\n"
        "\n"
        "<details><summary>Parts: 2 kg</summary>\n"
        "\n"
        "| part | kg | share |\n"
        "| --- | ---: | ---: |\n"
        "| apples | 1 kg | 50 % |\n"
        "| pears | 1 kg | 50 % |\n"
        "\n"
        "</details>\n"
        "\n"
        "#### Rows\n"
        "\n"
        "| fruit | pieces |\n"
        "| --- | ---: |\n"
        "| apple | 12 |\n"
        "| ❌ pear | 3 |\n"
        "\n"
        "Counted twice.\n"
        "\n"
        "> wash them: with water\n"
        ">\n"
        "\n"
        "#### Do\n"
        "\n"
        "```\n"
        "peel --all apples\n"
        "  eat()\n"
        "```\n");
}

TEST_CASE("a page in HTML", "[render]") {
  const std::string html = render::write_html(fruit_page());
  for (const std::string_view part :
       {"<h1>Fruit</h1>", "on a table", "<p class=\"verdict bad\"><strong>Rots</strong>: in a week</p>",
        "with no fridge", "<dt>weight</dt><dd>3 kg<small>2 to 4 kg</small></dd>", "<h2>Parts <small>2 kg</small></h2>",
        "<td>pears</td><td class=\"n\">1 kg</td>", "<td class=\"bad\">pear</td><td class=\"n\">3</td>",
        "Counted twice.", "<p class=\"mind\">wash them <small>with water</small></p>",
        "<pre>peel --all apples\n  eat()\n</pre>", "height: 9rem", "<canvas id=\"chart-fruit\""}) {
    INFO(part << "\n" << html);
    CHECK(count(html, part) == 1);
  }
  CHECK(html.find("<td>all</td>") == std::string::npos);  // that is for one screen
}

TEST_CASE("text fills a screen in the order of depth, and --verbose has everything", "[render]") {
  // Head and footer take three lines, a section of one line three: blank line, title, line.
  const auto page = [](std::size_t likely, std::size_t spare) {
    Page result;
    result.head.title = "Head";
    for (std::size_t i = 0; i < spare; ++i) {
      result.sections.push_back({"Spare", {{Depth::spare, render::Prose{"spare"}}}});
    }
    for (std::size_t i = 0; i < likely; ++i) {
      result.sections.push_back({"Likely", {{Depth::likely, render::Prose{"likely"}}}});
    }
    result.sections.push_back({"Full", {{Depth::full, render::Prose{"full"}}}});
    return result;
  };
  const std::string brief = render::write_text(page(10, 10), {});
  CHECK(count(brief, "likely\n") == 10);  // 3 + 30 lines: two more sections of three lines fit in 39
  CHECK(count(brief, "spare\n") == 2);
  CHECK(count(brief, "full\n") == 0);
  CHECK(count(brief, "\n") == 39);
  CHECK(count(brief, "--verbose") == 1);
  CHECK(count(render::write_text(page(13, 0), {}), "likely\n") == 12);
  const std::string all = render::write_text(page(10, 10), {80, false, true, true});
  CHECK(count(all, "likely\n") == 10);
  CHECK(count(all, "spare\n") == 10);
  CHECK(count(all, "full\n") == 1);
  CHECK(count(all, "--verbose") == 0);
}

TEST_CASE("where a sentence finds no room, those behind it wait, too", "[render]") {
  Page page;
  page.head.title = "Head";
  const std::string longest = [] {
    std::string words;
    for (int i = 0; i < 700; ++i) {
      words += "word ";
    }
    return words;
  }();
  const render::List sentences{
      {{"first", "", Depth::likely}, {longest, "", Depth::likely}, {"third", "", Depth::likely}}};
  page.sections = {{"Why", {{Depth::likely, sentences}}}};
  const std::string text = render::write_text(page, {});
  CHECK(count(text, "first") == 1);
  CHECK(count(text, "third") == 0);
}

TEST_CASE("Markdown makes no links of names, issues and addresses, and no block of code can be left", "[render]") {
  const std::string zero = "&#8203;";
  CHECK(render::escape_markdown("@someone #12 a#b GH-7") ==
        "@" + zero + "someone #" + zero + "12 a#" + zero + "b GH-" + zero + "7");
  CHECK(render::escape_markdown("http://x.example/ and www.x.example") ==
        "http:" + zero + "//x.example/ and www." + zero + "x.example");
  CHECK(render::escape_markdown("a # b @ c") == "a # b @ c");
  Page page;
  page.sections = {{"", {{Depth::always, render::Code{{{"```", false}, {"<b>", false}}}}}}};
  CHECK(render::write_markdown(page).find("````\n```\n<b>\n````\n") != std::string::npos);
}

}  // namespace vggplan
