// SPDX-License-Identifier: MIT
// Rules of CONTRIBUTING.md that no compiler knows.
#include <fmt/format.h>

#include <algorithm>

#include "source.hpp"
#include "support/catch.hpp"

namespace vggplan::lint {
namespace {

using Faults = std::vector<std::string>;

// The hard limits; what is aimed at is about half of them. Tables of data may be as long as they are.
constexpr std::size_t kLongestSource = 600;
constexpr std::size_t kLongestHeader = 300;

std::vector<Source> every_source() {
  std::vector<Source> sources;
  for (const char* folder : {"include", "src", "tests"}) {
    for (Source& source : read_sources(folder, {".hpp", ".cpp"})) {
      sources.push_back(std::move(source));
    }
  }
  return sources;
}

void require_none(const Faults& faults) {
  INFO(fmt::format("{}", fmt::join(faults, "\n")));
  CHECK(faults.empty());
}

template <class Rule>
Faults faults_of(const std::vector<Source>& sources, Rule rule) {
  Faults all;
  for (const Source& source : sources) {
    for (const std::string& fault : rule(source)) {
      all.push_back(fault);
    }
  }
  return all;
}

/// The parts of `source` that hold one of `words`, as faults.
Faults mentions(const Source& source, const std::vector<std::string>& lines, const std::vector<std::string>& words) {
  Faults faults;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    for (const std::string& word : words) {
      if (has_word(lines[i], word)) {
        faults.push_back(fmt::format("{}:{}: {}", source.path, i + 1, word));
      }
    }
  }
  return faults;
}

bool is_table(const Source& source) {
  const auto end = source.lines.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(5, source.lines.size()));
  return std::find(source.lines.begin(), end, "// table") != end;
}

Faults licence_faults(const Source& source) {
  const bool named = !source.lines.empty() && source.lines.front() == "// SPDX-License-Identifier: MIT";
  return named ? Faults{} : Faults{source.path + ": the first line names no licence"};
}

Faults length_faults(const Source& source) {
  Faults faults;
  const bool is_header = source.path.ends_with(".hpp") && !source.path.starts_with("tests/");  // tests' hold helpers
  const std::size_t most = is_header ? kLongestHeader : kLongestSource;
  if (!is_table(source) && source.lines.size() > most) {
    faults.push_back(fmt::format("{}: {} lines, {} allowed", source.path, source.lines.size(), most));
  }
  return faults;
}

Faults outside_world_faults(const Source& source) {
  if (source.path.starts_with("src/app/") || source.path.starts_with("tests/")) {
    return {};
  }
  return mentions(source, source.code, {"exit", "abort", "cout", "cerr", "printf", "getenv"});
}

Faults leftover_faults(const Source& source) {
  // Written in two parts, so that this file passes its own rule.
  return mentions(source, source.lines, {std::string("TO") + "DO", std::string("FIX") + "ME", std::string("XX") + "X"});
}

TEST_CASE("every source names its licence first") { require_none(faults_of(every_source(), licence_faults)); }

TEST_CASE("no file is too long") { require_none(faults_of(every_source(), length_faults)); }

TEST_CASE("only the app speaks to the terminal, reads the environment or ends the process") {
  require_none(faults_of(every_source(), outside_world_faults));
}

TEST_CASE("nothing is left for later in comments") { require_none(faults_of(every_source(), leftover_faults)); }

TEST_CASE("headers are included once") {
  require_none(faults_of(every_source(), [](const Source& source) {
    const bool once = std::find(source.lines.begin(), source.lines.end(), "#pragma once") != source.lines.end();
    return once || source.path.ends_with(".cpp") ? Faults{} : Faults{source.path + ": no #pragma once"};
  }));
}

TEST_CASE("the style rules see what they should see") {
  const auto bad = [](const std::string& text) { return make_source("src/graph/a.cpp", text); };
  CHECK(licence_faults(bad("int a;\n")).size() == 1);
  CHECK(length_faults(bad(std::string(601, '\n'))).size() == 1);
  CHECK(length_faults(bad("// x\n// table\n" + std::string(601, '\n'))).empty());
  CHECK(outside_world_faults(bad("void f() { std::exit(1); }\n")).size() == 1);
  CHECK(outside_world_faults(bad("// std::cout is not for here\n")).empty());
  CHECK(outside_world_faults(bad("auto s = \"std::cout\";\n")).empty());
  CHECK(leftover_faults(bad(std::string("// TO") + "DO: later\n")).size() == 1);
  CHECK(leftover_faults(bad("auto name = \"/tmp/aXXXXXX\";\n")).empty());
}

}  // namespace
}  // namespace vggplan::lint
