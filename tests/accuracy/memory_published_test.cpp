// SPDX-License-Identifier: MIT
// What others reported of memory, on GPUs and architectures that nobody measured for this program.
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "accuracy/figures/time_figures.hpp"
#include "cli/fake_world.hpp"
#include "support/catch.hpp"
#include "vggplan/app/app.hpp"

namespace {

using namespace vggplan;
using nlohmann::json;

json memory_of(const json& row) {
  const test::Ran ran = test::run("estimate " + row.at("ask").get<std::string>() + " --timeline --json");
  INFO(ran.err);
  REQUIRE(ran.code <= app::kNo);
  return json::parse(ran.out).at("memory");
}

bool holds(const json& range, std::int64_t bytes) {
  return range.at("low").get<std::int64_t>() <= bytes && bytes <= range.at("high").get<std::int64_t>();
}

/// What a forward pass of the steady state leaves behind: activations, indices of pools and masks of dropout.
std::int64_t left_by_forward(const json& memory) {
  std::int64_t bytes = 0;
  for (const json& moment : memory.at("timeline")) {
    if (moment.at("phase") == "forward" && moment.value("layer", "") == "fc3") {
      const json& held = moment.at("categories");
      bytes = held.at("activations").get<std::int64_t>() + held.at("pooling_indices").get<std::int64_t>() +
              held.at("other").get<std::int64_t>();
    }
  }
  return bytes;
}

}  // namespace

TEST_CASE("published figures of memory lie in the ranges that are given for GPUs that nobody measured") {
  std::size_t verdicts = 0;
  std::size_t agreed = 0;
  for (const json& row : accuracy::published_rows("memory.jsonl")) {
    INFO(row.at("published").get<std::string>() << ": " << row.at("ask").get<std::string>());
    const json memory = memory_of(row);
    const json& reported = row.at("reported");
    const json& reserved = memory.at("reserved_peak_bytes");
    CHECK(reserved.at("basis") == "modelled");
    if (reported.contains("device_bytes")) {
      CHECK(holds(memory.at("device_used_bytes"), reported.at("device_bytes").get<std::int64_t>()));
    }
    if (reported.contains("forward_bytes")) {
      CHECK(left_by_forward(memory) == reported.at("forward_bytes").get<std::int64_t>());
    }
    if (reported.contains("request_bytes")) {
      CHECK(memory.at("shortfall").at("requested_bytes") == reported.at("request_bytes"));
    }
    if (reported.contains("runs")) {
      const bool runs = reported.at("runs").get<bool>();
      const auto usable = memory.at("usable_bytes").get<std::int64_t>();
      // What ran may not be ruled out, and what ran out of memory may not be promised.
      CHECK((runs ? memory.at("allocated_peak_bytes").at("low").get<std::int64_t>() <= usable
                  : reserved.at("high").get<std::int64_t>() > usable));
      ++verdicts;
      agreed += (memory.at("verdict") != "does-not-fit") == runs ? 1U : 0U;
    }
  }
  std::cout << "published memory: " << agreed << " of " << verdicts << " verdicts are those reported\n";
  CHECK(verdicts >= 40);
  // At the edge of a card the value alone may be on the wrong side; the range above is not.
  CHECK(10 * agreed >= 9 * verdicts);
}
