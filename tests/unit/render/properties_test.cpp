// SPDX-License-Identifier: MIT
// What must hold of every report in every format, whatever it says. tests/formats reads CSV and HTML by readers of
// others.
#include <algorithm>
#include <vector>

#include "render/figures.hpp"
#include "render/style.hpp"
#include "support/catch.hpp"
#include "support/files.hpp"
#include "support/samples.hpp"
#include "vggplan/render/render.hpp"

namespace vggplan {

namespace {

using render::Document;
using test::lines_of;

/// Markdown without its blocks of code, in which nothing is marked up.
std::string outside_fences(const std::string& markdown) {
  std::string text;
  std::string fence;
  for (const std::string& line : lines_of(markdown)) {
    if (fence.empty() && line.starts_with("```")) {
      fence = line;
    } else if (line == fence) {
      fence.clear();
    } else if (fence.empty()) {
      text += line + "\n";
    }
  }
  return text;
}

/// All strings of a document replaced by one that every format must defuse.
Document hostile(const Document& value) {
  if (value.is_object()) {
    Document object = Document::object();
    for (const auto& [key, item] : value.items()) {
      // What programs dispatch on must stay what it is.
      const bool fixed = key == "kind" || key == "verdict" || key == "schema_version" || key == "mode" ||
                         key == "basis" || key == "severity" || key == "metric";
      object[key] = fixed ? item : hostile(item);
    }
    return object;
  }
  if (value.is_array()) {
    Document array = Document::array();
    for (const Document& item : value) {
      array.push_back(hostile(item));
    }
    return array;
  }
  return value.is_string() ? Document("</script><script>alert(1)</script>\x1b[31m\n|`*_\"a,b\" \xc2\x9b") : value;
}

}  // namespace

TEST_CASE("text keeps to its columns", "[render]") {
  for (const test::Sample& sample : test::samples()) {
    for (const std::size_t columns : {80U, 100U, 160U}) {
      for (const bool verbose : {false, true}) {
        for (const std::string& line : lines_of(render::text(sample.report, {columns, false, true, verbose}))) {
          INFO(sample.name << ": " << line);
          CHECK(render::width(line) <= columns);
          CHECK((line.empty() || line.back() != ' '));
        }
      }
    }
  }
}

TEST_CASE("text without colour has no escapes, and with colour says the same", "[render]") {
  for (const test::Sample& sample : test::samples()) {
    const std::string plain = render::text(sample.report, {80, false, true, true});
    CHECK(plain.find('\x1b') == std::string::npos);
    std::string colored = render::text(sample.report, {80, true, true, true});
    CHECK(colored.find('\x1b') != std::string::npos);
    for (std::size_t at = 0; (at = colored.find('\x1b', at)) != std::string::npos;) {
      colored.erase(at, colored.find('m', at) - at + 1);
    }
    // Spaces at the end of a line may come and go with colour.
    const auto squeeze = [](std::string text) {
      text.erase(std::remove(text.begin(), text.end(), ' '), text.end());
      return text;
    };
    CHECK(squeeze(colored) == squeeze(plain));
  }
}

TEST_CASE("text in ASCII is ASCII", "[render]") {
  for (const test::Sample& sample : test::samples()) {
    for (const std::string& line : lines_of(render::text(hostile(sample.report), {80, false, false, true}))) {
      INFO(sample.name << ": " << line);
      CHECK(std::all_of(line.begin(), line.end(), [](char c) { return c >= ' ' && c <= '~'; }));
    }
  }
}

TEST_CASE("every table is rectangular", "[render]") {
  for (const test::Sample& sample : test::samples()) {
    const render::Table table = render::main_table(sample.report);
    for (const auto& row : table.rows) {
      CHECK(row.size() == table.columns.size());
    }
  }
}

TEST_CASE("JSON reads back equal, and one line is one line", "[render]") {
  for (const test::Sample& sample : test::samples()) {
    CHECK(Document::parse(render::json(sample.report)) == sample.report);
    CHECK(Document::parse(render::json_line(sample.report)) == sample.report);
    const std::string line = render::json_line(sample.report);
    CHECK(std::count(line.begin(), line.end(), '\n') == 1);
  }
}

TEST_CASE("hostile names stay text in HTML", "[render]") {
  for (const test::Sample& sample : test::samples()) {
    INFO(sample.name);
    CHECK(render::html(hostile(sample.report)).find("<script>alert") == std::string::npos);
  }
}

TEST_CASE("hostile names do not steer the terminal or break Markdown tables", "[render]") {
  for (const test::Sample& sample : test::samples()) {
    const std::string text = render::text(hostile(sample.report), {80, false, true, true});
    INFO(sample.name);
    CHECK(text.find('\x1b') == std::string::npos);
    CHECK(text.find("\xc2\x9b") == std::string::npos);
    const std::string markdown = outside_fences(render::markdown(hostile(sample.report)));
    CHECK(markdown.find("<script>") == std::string::npos);
    for (const std::string& line : lines_of(markdown)) {
      INFO(line);
      CHECK((!line.starts_with("|") || line.ends_with("|")));
    }
  }
}

TEST_CASE("the bars of memory end where the memory ends", "[render]") {
  // 64 GiB reserved of 39.5 GiB usable: the chart must say so.
  const std::string refused = render::text(report::build_estimate(test::refused_estimate()), {80, false, false, false});
  CHECK(refused.find("Does not fit") != std::string::npos);
  CHECK(refused.find("^ the limit") != std::string::npos);
  CHECK(refused.find("beyond the usable       24.50 GiB") != std::string::npos);
}

TEST_CASE("a figure is shown by the unit that its key ends in", "[render]") {
  CHECK(render::figure("reserved_peak_bytes", Document(3221225472)) == "3 GiB");
  CHECK(render::figure("step_seconds", Document(0.1714)) == "171 ms");
  CHECK(render::figure("parameters", Document(138357544)) == "138,357,544");
  CHECK(render::figure("images_per_second", Document(5.764)) == "5.76 images/s");
  CHECK(render::figure("images_per_second", Document(1234.4)) == "1,234 images/s");
  CHECK(render::figure("usd_per_million_images", Document(12.5)) == "$12.50");
  CHECK(render::figure("memory_bytes_per_second", Document(2039000000000LL)) == "2.04 TB/s");
  CHECK(render::figure("delta_percent", Document(-4.5)) == "-4.50 %");
  CHECK(render::figure("output_shape", Document({64, 224, 224})) == "64x224x224");
  CHECK(render::figure("aliases", Document({"a", "b"})) == "a, b");
  CHECK(render::figure("bucket_view", Document(true)) == "yes");
}

TEST_CASE("a range names its unit once, unless its ends differ in unit", "[render]") {
  const auto range = [](const char* key, const Document& low, const Document& high) {
    return render::range(key, {{"value", low}, {"low", low}, {"high", high}, {"basis", "modelled"}});
  };
  CHECK(range("step_seconds", 0.2, 0.3) == "200 to 300 ms");
  CHECK(range("step_seconds", 0.9, 1.2) == "900 ms to 1.20 s");
  CHECK(range("step_seconds", 3600, 7200) == "1 h 00 min to 2 h 00 min");
  CHECK(range("step_seconds", 0.2, 0.2).empty());
  CHECK(render::range("parameters", Document(5)).empty());
}

TEST_CASE("words wrap at spaces, and a word too long stands alone", "[render]") {
  CHECK(render::wrap("aa bb cc", 5) == std::vector<std::string>{"aa bb", "cc"});
  CHECK(render::wrap("aaaaaaaa b", 5) == std::vector<std::string>{"aaaaaaaa", "b"});
  CHECK(render::wrap("", 5).empty());
  CHECK(render::wrap("  a  b ", 9) == std::vector<std::string>{"a b"});
}

}  // namespace vggplan
