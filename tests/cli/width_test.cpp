// SPDX-License-Identifier: MIT
// Text keeps to the columns of the terminal: tests/unit/render holds made-up reports to it, here are real ones.
#include <sstream>

#include "cli/fake_world.hpp"
#include "support/catch.hpp"

namespace vggplan {

namespace {

std::size_t width(const std::string& line) {
  return static_cast<std::size_t>(
      std::count_if(line.begin(), line.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

/// A word that is longer than the line, such as an address, is not broken.
bool is_one_word(const std::string& line) {
  const std::size_t start = line.find_first_not_of(" -");
  return start != std::string::npos && line.find(' ', start) == std::string::npos;
}

/// Lines wider than `columns`, but for what is there to be copied.
std::vector<std::string> too_wide(const std::string& text, std::size_t columns) {
  std::vector<std::string> wide;
  std::istringstream stream(text);
  bool copied = false;
  for (std::string line; std::getline(stream, line);) {
    copied = line == "Start it with" || (copied && !line.empty());
    if (width(line) > columns && !copied && !is_one_word(line)) {
      wide.push_back(line);
    }
  }
  return wide;
}

}  // namespace

TEST_CASE("what the commands print fits a terminal of 80 columns, and wider ones", "[cli]") {
  for (const std::size_t columns : {80U, 100U, 132U}) {
    test::FakeWorld world;
    world.out_is_tty = true;
    world.columns = columns;
    world.variables["NO_COLOR"] = "1";
    const std::string two = "estimate --size 2048x1536 --gpu h200 --json --images 100000 --output ";
    REQUIRE(test::run(two + "old.json --batch 2", world).code == app::kYes);
    REQUIRE(test::run(two + "new.json --batch 3 --precision amp-bf16", world).code == app::kYes);
    world.files["max.json"] = R"({"checks": [{"metric": "time.step_seconds", "max": 1, "max_increase": 1},
                                             {"metric": "memory.steady_peak_bytes", "max_increase": 1}]})";
    for (const std::string command :
         {"--height 4024 --width 3036 --gpus a100x4 --images 100000 --epochs 90",
          "--size 4024x3036 --gpus any --images 100000 --objective cheapest -v",
          "--size 20000x20000 --gpus t4,l4 -v",
          "estimate --size 4024x3036 --gpus a100x16 --machine p4d.24xlarge --images 1000000 --epochs 90 -v",
          "layers --size 4024x3036 --batch 64 --model vgg19_bn",
          "layers --size 1024x1024 --gpus a100x8 -v",
          "sweep --size 1024x1024 --gpu h100 --sweep batch=1,2048 --sweep precision=tf32,amp-bf16",
          "gpus",
          "gpus a100-sxm4-80gb",
          "machines",
          "machines p4d.24xlarge",
          "models",
          "diff old.json new.json",
          "diff old.json new.json -v",
          "check new.json --against old.json",
          "check new.json --budget max.json",
          "--help",
          "help estimate",
          "sweep --help",
          "check --help"}) {
      INFO(command << " at " << columns);
      CHECK(too_wide(test::run(command, world).out, columns) == std::vector<std::string>());
    }
  }
}

TEST_CASE("plans and estimates end where a screen of 40 rows does, and say where the rest is", "[cli]") {
  for (const std::string command :
       {"--height 4024 --width 3036 --gpus a100x4 --images 100000 --epochs 90", "--size 512x512 --gpus any",
        "--size 20000x20000 --gpus t4,l4", "--size 2048x1536 --gpus t4x2 --optimizer adamw --checkpointing block",
        "estimate --size 4024x3036 --gpu t4 --batch 8",
        "estimate --size 4024x3036 --gpus a100x16 --machine p4d.24xlarge --images 1000000"}) {
    test::FakeWorld world;
    REQUIRE(test::run(command + " --json --output r.json", world).code <= app::kNo);
    const std::string text = test::run("show r.json", world).out;
    INFO(command << "\n" << text);
    CHECK(std::count(text.begin(), text.end(), '\n') < 40);
    CHECK(text.find("--verbose") != std::string::npos);
    CHECK(test::run("show r.json -v", world).out.size() > text.size());
  }
}

}  // namespace vggplan
