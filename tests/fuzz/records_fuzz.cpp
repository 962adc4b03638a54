// SPDX-License-Identifier: MIT
// Any text as a record of --config-dir: GPUs, machines, models, links, storage, frameworks, calibrations. It is used
// or refused.
//
// First line: the path in that folder, such as "gpus/mine.json". Then the text of the file.
#include <span>

#include "targets.hpp"
#include "vggplan/catalog/catalog.hpp"

namespace vggplan::fuzz {

namespace {

/// What a question must say to come across the record `stem` of `folder`.
std::string question_about(const std::string& folder, const std::string& stem) {
  const std::string asked = "estimate --size 32x32 --json --config-dir mine ";
  if (folder == "gpus") {
    return asked + "--model vgg11 --gpus " + stem + "x2";
  }
  if (folder == "machines") {
    return asked + "--model vgg11 --images 100 --machine " + stem;
  }
  if (folder == "models") {
    return asked + "--gpus t4 --model " + stem;
  }
  if (folder == "storage") {
    return asked + "--model vgg11 --gpus t4 --images 100 --storage " + stem;
  }
  if (folder == "frameworks") {
    return asked + "--model vgg11 --gpus t4 --framework " + stem;
  }
  return asked + "--model vgg11 --gpus " + (folder == "calibration" ? stem : "t4x2");
}

}  // namespace

void records(const std::string& input) {
  const std::size_t line = std::min(input.find('\n'), input.size());
  const std::string path = input.substr(0, line);
  const std::string text = input.substr(std::min(line + 1, input.size()));
  const std::size_t slash = path.find('/');
  if (!path.ends_with(".json") || path.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-./") != path.npos) {
    return;
  }
  const catalog::ConfigFile file{path, text, "mine/" + path};
  const auto catalog = catalog::Catalog::built_in().with_overrides(std::span(&file, 1));
  if (!catalog) {  // most inputs
    require(!catalog.error().place.empty() && !catalog.error().rule.empty(), "records: no message");
    return;
  }
  test::FakeWorld world;
  world.files["mine/" + path] = text;
  const std::string folder = slash == std::string::npos ? "" : path.substr(0, slash);
  const std::string stem = path.substr(slash + 1, path.size() - slash - 1 - std::string_view(".json").size());
  require_sound(test::run(question_about(folder, stem), world), "records: " + folder);
  if (folder == "gpus" || folder == "machines" || folder == "models") {
    require_sound(test::run(folder + " --config-dir mine", world), "records: list of " + folder);
  }
}

}  // namespace vggplan::fuzz
