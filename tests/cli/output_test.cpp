// SPDX-License-Identifier: MIT
// Where reports go, what they look like there, and what happens when they cannot be written.
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/fake_world.hpp"
#include "support/catch.hpp"

namespace vggplan {

namespace {

using test::FakeWorld;
using test::Ran;
using test::run;

const std::string kEstimate = "estimate --size 224x224 --gpu h200-sxm-141gb ";

bool has_escape(const std::string& text) { return text.find('\x1b') != std::string::npos; }
bool is_ascii(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

}  // namespace

TEST_CASE("standard output holds the report and nothing else", "[cli]") {
  const Ran ran = run("estimate --size 224x224 --gpu h200 --json");
  CHECK(ran.code == app::kYes);
  CHECK(nlohmann::json::parse(ran.out).at("kind") == "estimate");
  CHECK(ran.err.empty());
}

TEST_CASE("what does not fit is an answer: exit code 1 and a whole report", "[cli]") {
  for (const std::string command : {"estimate --batch 64 --gpu ", "--gpus "}) {
    const Ran ran = run(command + "t4 --size 9000x9000 --json");
    CHECK(ran.code == app::kNo);
    CHECK(nlohmann::json::parse(ran.out).contains("memory") == command.starts_with("estimate"));
    CHECK(ran.err.empty());
  }
}

TEST_CASE("--output takes the place of standard output, and exports go beside it", "[cli]") {
  FakeWorld world;
  const Ran ran = run(kEstimate +
                          "--json --output a.json --export text=a.txt --export csv=a.csv --export html=a.html "
                          "--export markdown=a.md",
                      world);
  CHECK(ran.code == app::kYes);
  CHECK(ran.out.empty());
  CHECK(nlohmann::json::parse(world.files.at("a.json")).at("kind") == "estimate");
  CHECK(world.files.at("a.txt") == run("show a.json", world).out);
  CHECK(world.files.at("a.csv") == run("show a.json --format csv", world).out);
  CHECK(world.files.at("a.md") == run("show a.json --format markdown", world).out);
  CHECK(world.files.at("a.html").starts_with("<!DOCTYPE html>"));
}

TEST_CASE("a saved report is shown as the fresh one was, in every format", "[cli]") {
  for (const std::string job : {"plan --size 512x512 --gpus a100-sxm4-40gbx2", "estimate --size 512x512 --gpu t4",
                                "layers --size 64x64", "gpus", "machines", "models"}) {
    FakeWorld world;
    REQUIRE(run(job + " --json --output r.json", world).code == app::kYes);
    for (const std::string format : {"text", "json", "csv", "markdown"}) {
      INFO(job << " as " << format);
      CHECK(run("show r.json --format " + format, world).out == run(job + " --format " + format, world).out);
    }
  }
}

TEST_CASE("what cannot be written leaves standard output empty, and no file is written twice", "[cli]") {
  FakeWorld world;
  world.unwritable = "full.json";
  const Ran ran = run(kEstimate + "--export json=full.json", world);
  CHECK(ran.code == app::kFileTrouble);
  CHECK(ran.out.empty());
  for (const std::string twice : {"--export json=a --export text=a", "--output a --export html=a"}) {
    const Ran refused = run(kEstimate + twice, world);
    CHECK(refused.code == app::kWrongQuestion);
    CHECK(refused.err == "vggplan: --export: 'a' is written twice\n  name a file for each format\n");
    CHECK_FALSE(world.files.contains("a"));
  }
}

TEST_CASE("a reader that has read enough hears nothing more", "[cli]") {
  const std::string command = std::string("{ ") + VGGPLAN_BINARY +
                              " sweep --gpu t4 --size 64x64 --sweep batch=1:2000 --json | head -n 1 >/dev/null; } 2>&1";
  FILE* pipe = ::popen(command.c_str(), "r");  // NOLINT: our own binary
  REQUIRE(pipe != nullptr);
  CHECK(std::fgetc(pipe) == EOF);
  CHECK(::pclose(pipe) == 0);
}

TEST_CASE("a sweep of which no point fits answers no", "[cli]") {
  CHECK(run("sweep --gpu t4 --size 4024x3036 --sweep batch=8,16").code == app::kNo);
  CHECK(run("sweep --gpu t4 --size 1024x1024 --sweep batch=1,1000").code == app::kYes);
}

TEST_CASE("messages wrap on a terminal, and are one line each elsewhere", "[cli]") {
  FakeWorld world;
  const std::string command = "gpus a100";  // several cards have that name
  const std::string plain = run(command, world).err;
  world.err_is_tty = true;
  const std::string wrapped = run(command, world).err;
  const auto longest = [](const std::string& text) {
    std::istringstream lines(text);
    std::size_t most = 0;
    for (std::string line; std::getline(lines, line);) {
      most = std::max(most, line.size());
    }
    return most;
  };
  CHECK(longest(plain) > 80);
  CHECK(longest(wrapped) <= 80);
}

TEST_CASE("colour: --color before NO_COLOR before FORCE_COLOR before the terminal", "[cli]") {
  struct Row {
    std::string flag{};
    std::string no_color{};
    std::string force_color{};
    bool terminal{};
    bool colored{};
  };
  const std::vector<Row> rows{
      {"", "", "", false, false},
      {"", "", "", true, true},
      {"", "1", "", true, false},
      {"", "", "1", false, true},
      {"", "1", "1", true, false},
      {"--color always", "1", "", false, true},
      {"--color never", "", "1", true, false},
      {"", "", "0", true, false},
  };
  for (const Row& row : rows) {
    FakeWorld world;
    world.out_is_tty = row.terminal;
    // An empty NO_COLOR is none: no-color.org.
    world.variables["NO_COLOR"] = row.no_color;
    world.variables["FORCE_COLOR"] = row.force_color;
    INFO(row.flag << "|" << row.no_color << "|" << row.force_color << "|" << row.terminal);
    CHECK(has_escape(run(kEstimate + row.flag, world).out) == row.colored);
  }
  FakeWorld dumb;
  dumb.out_is_tty = true;
  dumb.variables["TERM"] = "dumb";
  CHECK_FALSE(has_escape(run(kEstimate, dumb).out));
}

TEST_CASE("without a UTF-8 locale text is plain ASCII", "[cli]") {
  for (const std::string locale : {"", "C", "POSIX", "de_DE.ISO-8859-1"}) {
    FakeWorld world;
    world.variables = {{"LANG", locale}};
    CHECK(is_ascii(run(kEstimate, world).out));
  }
  FakeWorld world;
  world.variables = {{"LC_ALL", "C"}, {"LANG", "en_GB.UTF-8"}};
  CHECK(is_ascii(run(kEstimate, world).out));
  world.variables = {{"LANG", "en_GB.utf8"}};
  CHECK_FALSE(is_ascii(run(kEstimate, world).out));
}

TEST_CASE("JSON, CSV and Markdown do not depend on the terminal or the locale", "[cli]") {
  for (const std::string format : {"json", "csv", "markdown", "html"}) {
    FakeWorld plain;
    FakeWorld fancy;
    fancy.out_is_tty = true;
    fancy.columns = 140;
    fancy.variables = {{"FORCE_COLOR", "1"}};
    CHECK(run(kEstimate + "--format " + format, plain).out == run(kEstimate + "--format " + format, fancy).out);
  }
}

TEST_CASE("the same question gets the same bytes", "[cli]") {
  for (const std::string job :
       {"--size 1024x1024 --gpus a100x2,t4 --json", "sweep --size 64x64 --gpu t4 --sweep batch=1:9 --json"}) {
    CHECK(run(job).out == run(job).out);
  }
}

TEST_CASE("notes go to standard error, and --quiet stops them", "[cli]") {
  CHECK_FALSE(run("gpus a100").err.empty());
  CHECK(run("gpus a100 --quiet").err.empty());
  CHECK(run("gpus a100").out == run("gpus a100 --quiet").out);
}

TEST_CASE("completion tells what may follow the words before it", "[cli]") {
  CHECK(run("__complete calib").out == "calibrate\tfit the time model to measurements of a GPU\n");
  CHECK(run("__complete estimate --precision amp-b").out == "amp-bf16\n");
  CHECK(run("__complete estimate --precision = amp-b").out == "amp-bf16\n");  // as bash parts words
  CHECK(run("__complete estimate --precision=amp-b").out == "--precision=amp-bf16\n");
  CHECK(run("__complete estimate -f ht").out == "html\n");
  CHECK(run("__complete --deadl").out.starts_with("--deadline\t"));
  CHECK(run("__complete schema --deadl").out.empty());
  CHECK(run("__complete machines p4de").out == "p4de.24xlarge\n");
  CHECK(run("__complete show r").out == ":files\n");
  CHECK(run("__complete estimate --config-dir r").out == ":folders\n");
  CHECK(run("__complete estimate --batch 4").out.empty());
  CHECK(run("__complete nonsense --gpu").out.empty());
}

TEST_CASE("help and version go to standard output; no question at all is a wrong one", "[cli]") {
  CHECK(run("--help").code == app::kYes);
  CHECK(run("--help").out.find("Examples:") < run("--help").out.find("Usage:"));
  CHECK(run("--version").out.starts_with("vggplan "));
  const Ran bare = run("");
  CHECK(bare.code == app::kWrongQuestion);
  CHECK(bare.out.empty());
  CHECK(bare.err.find("\n  vggplan --height 4024 --width 3036 --gpus a100x4\n") != std::string::npos);
  CHECK(bare.err.find("vggplan --help") != std::string::npos);
  CHECK(std::count(bare.err.begin(), bare.err.end(), '\n') <= 8);
}

TEST_CASE("a progress bar shows on a terminal's standard error, and only there", "[cli]") {
  const std::string sweep = "sweep --size 64x64 --gpu t4 --sweep batch=1:200 --json";
  FakeWorld world;
  world.err_is_tty = true;
  const Ran ran = run(sweep, world);
  CHECK(ran.err.find("[####") != std::string::npos);
  CHECK(ran.err.ends_with("\r\x1b[K"));
  CHECK(std::count(ran.out.begin(), ran.out.end(), '\n') == 200);
  CHECK(run(sweep).err.empty());
  CHECK(run(sweep + " --quiet", world).err.empty());
}

}  // namespace vggplan
