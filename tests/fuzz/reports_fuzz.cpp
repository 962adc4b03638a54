// SPDX-License-Identifier: MIT
// Any text as a report and as a budget: shown, compared and checked, or refused with nothing on standard output.
#include "targets.hpp"

namespace vggplan::fuzz {

void reports(const std::string& input) {
  test::FakeWorld world;
  world.files["r.json"] = input;
  for (const char* command : {"show r.json", "show r.json --format html", "show r.json --format csv",
                              "diff r.json r.json", "check r.json --against r.json", "check r.json --budget r.json"}) {
    require_sound(test::run(command, world), command);
  }
}

}  // namespace vggplan::fuzz
