// SPDX-License-Identifier: MIT
// Any text as a settings file, of the working folder and named, and as a budget: an answer or an error that can be
// read. What was found and not named writes no file.
#include "targets.hpp"

namespace vggplan::fuzz {

void settings(const std::string& input) {
  static const std::string kReport = test::run("estimate --size 32x32 --gpu t4 --model vgg11 --json").out;
  const std::string question = "estimate --size 32x32 --gpu t4 --model vgg11";
  test::FakeWorld world;
  world.files["vggplan.toml"] = input;
  world.files["r.json"] = kReport;
  const auto before = world.files;
  require_sound(test::run(question + " --print-config", world), "settings: found");
  require(world.files == before, "settings: a file was written");
  world.files.erase("vggplan.toml");
  world.files["named.toml"] = input;
  require_sound(test::run(question + " --config named.toml", world), "settings: named");
  require_sound(test::run("check r.json --budget named.toml", world), "settings: budget");
  for (const auto& [path, text] : world.files) {
    require(path == "r.json" || path.starts_with("/here/") || path == "named.toml", "settings: wrote elsewhere");
  }
}

}  // namespace vggplan::fuzz
