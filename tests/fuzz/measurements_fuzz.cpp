// SPDX-License-Identifier: MIT
// Any text as measurements of a GPU: a calibration that can be read again and used, or an error that can be read.
#include "targets.hpp"

namespace vggplan::fuzz {

void measurements(const std::string& input) {
  test::FakeWorld world;
  world.files["rows.jsonl"] = input;
  const test::Ran ran = test::run("calibrate rows.jsonl --gpu t4 -o made.json", world);
  require_sound(ran, "measurements");
  if (ran.code == app::kYes) {
    const std::string use = "estimate --size 32x32 --gpu t4 --model vgg11 --calibration made.json";
    require_sound(test::run(use, world), "measurements: used");
  }
}

}  // namespace vggplan::fuzz
