// SPDX-License-Identifier: MIT
// Any text as a report and as a budget: shown, compared and checked, or refused with nothing on standard output.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "../cli/fake_world.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  vggplan::test::FakeWorld world;
  world.files["r.json"].assign(reinterpret_cast<const char*>(data), size);
  for (const char* command : {"show r.json", "show r.json --format html", "show r.json --format csv",
                              "diff r.json r.json", "check r.json --against r.json", "check r.json --budget r.json"}) {
    const auto ran = vggplan::test::run(command, world);
    const bool refused = ran.code > vggplan::app::kNo;
    if (ran.code > vggplan::app::kFileTrouble || (refused && !ran.out.empty())) {
      std::abort();
    }
  }
  return 0;
}
