// SPDX-License-Identifier: MIT
// Random questions to the whole program, each answer held against itself and against what else it answers: no figure is
// known beforehand, but how figures hang together is. VGGPLAN_CASES sets how many are asked, VGGPLAN_SEED
// which; VGGPLAN_CASE asks one of them again.
#include <algorithm>
#include <array>

#include "property/relations.hpp"
#include "support/catch.hpp"

namespace vggplan::metamorphic {
namespace {

using support::number_of;

/// Each relation's turns among so many; those that plan take a hundred times as long as an estimate.
constexpr std::array kTurns = std::to_array<std::pair<const char*, Relation>>({
    {"same bytes", same_bytes},
    {"resolved settings", resolved_settings},
    {"saved reports", saved_reports},
    {"formats", formats},
    {"larger batches", larger_batches},
    {"memory", less_memory},
    {"parts of GPUs", other_users},
    {"accumulation", accumulation},
    {"sweeps", sweeps},
    {"timelines", timelines},
    {"comparisons", comparisons},
    {"warnings", warnings},
    {"layers", layers},
    {"counts of GPUs", counts_of_gpus},
    {"freezing", freezing},
    {"data", data},
    {"largest that fits", largest_that_fits},
    {"plans", plans},
    {"remedies", remedies},
    {"evaluation", evaluation},
});

TEST_CASE("answers hang together, whatever is asked") {
  const std::uint32_t cases = number_of("VGGPLAN_CASES", 200);
  const std::uint32_t seed = number_of("VGGPLAN_SEED", 1);
  const std::uint32_t only = number_of("VGGPLAN_CASE", cases);
  std::uint32_t answered = 0;
  for (std::uint32_t i = only % cases; i < std::min(cases, only + 1); ++i) {
    const auto& [name, relation] = kTurns.at(i % kTurns.size());
    std::mt19937 random(seed * 1'000'003 + i);
    // What makes no sense is refused, with one message; the next question then.
    for (int tries = 0; tries < 50; ++tries) {
      support::RandomQuestion question(random);
      INFO("VGGPLAN_SEED=" << seed << ", case " << i << ", " << name << ", try " << tries << '\n'
                           << support::line_of("estimate", question.flags) << '\n'
                           << question.world.files["own.json"]);
      const auto report = asked("estimate", question.flags, question.world);
      if (!report) {
        continue;
      }
      ++answered;
      consistent(*report);
      relation({question.flags, question.world, *report, random});
      break;
    }
  }
  CHECK((answered == cases || only < cases));
}

}  // namespace
}  // namespace vggplan::metamorphic
