// SPDX-License-Identifier: MIT
// What a made-up card holds, against trying every batch of every choice of settings.
#include "vggplan/planner/capacity.hpp"

#include <algorithm>
#include <set>

#include "support/catch.hpp"
#include "support/every_candidate.hpp"

namespace vggplan::planner {
namespace {

using support::Everything;
using support::label;
using support::MadeUpQuestion;
using support::Room;

/// One GPU model, one count, one kind of sharding.
MadeUpQuestion question_of_card(std::uint32_t seed) {
  MadeUpQuestion asked(seed);
  asked.request.candidates.resize(1);
  asked.request.candidates.front().exactly = true;
  asked.request.sharding = asked.request.sharding.value_or(job::Sharding::ddp);
  asked.request.objective = Objective::fastest;
  asked.request.global_batch.reset();
  asked.request.max_gpus.reset();
  asked.request.deadline.reset();
  asked.request.max_cost.reset();
  asked.request.job.data = {};
  asked.world.image *= seed % 2 == 0 ? 0.1 : 1;
  asked.world.range = seed % 5 == 0 ? 10 : asked.world.range;  // nothing is certain
  asked.world.image_seconds *= seed % 3 == 0 ? 100 : 1;
  asked.engine = support::engine_of(asked.world, asked.prices);
  return asked;
}

void check_holding(const Holding& held, const MadeUpQuestion& asked) {
  const estimate::Target& target = asked.request.candidates.front().target;
  const auto most = support::largest_batches(asked.request, asked.engine, held.job, target);
  CHECK(held.batch.possible == most.possible);
  CHECK(held.batch.hard == most.hard);
  CHECK(held.batch.steady == most.steady);
  CHECK(held.certain == most.certain);
  const std::int64_t largest = most.certain > 0 ? most.certain : std::max<std::int64_t>(most.steady, 1);
  CHECK(held.job.batch == asked.request.batch.value_or(largest));
  CHECK(held.job.accumulation == asked.request.accumulation.value_or(1));
  const bool fits = support::room_of(asked.request, asked.engine, held.job, target).fits;
  CHECK(held.slowdown.has_value() == fits);
  CHECK(held.images_per_second == (fits ? asked.world.images_per_second(held.job) : 0));
  job::Job image = held.job;
  image.batch = asked.request.batch.value_or(1);
  CHECK(held.image.job == image);
  image.image = {3, held.image.height, held.image.width};
  CHECK((held.image.height == 0 || support::room_of(asked.request, asked.engine, image, target).fits));
}

TEST_CASE("what a card holds is what trying everything finds, the fastest first") {
  int fitting = 0;
  int refused = 0;
  for (std::uint32_t seed = 1; seed <= 600; ++seed) {
    const MadeUpQuestion asked = question_of_card(seed);
    const auto answer = capacity(asked.request, asked.engine);
    const Everything all(asked.request, asked.engine);
    INFO("seed " << seed);
    REQUIRE(answer.has_value() == !all.tried.empty());
    if (!answer) {
      continue;
    }
    std::set<std::string> expected;
    for (const auto& e : all.tried) {
      job::Job job = e.job;
      job.batch = 1;
      expected.insert(label(job, "a"));
    }
    std::set<std::string> found;
    double fastest = 0;
    for (const Holding& held : answer->holdings) {
      INFO(label(held.job, "a"));
      job::Job job = held.job;
      job.batch = 1;
      CHECK(found.insert(label(job, "a")).second);
      check_holding(held, asked);
      fastest = std::max(fastest, held.images_per_second);
    }
    CHECK(found == expected);
    const auto rank = [](const Holding& h) { return std::pair(h.images_per_second, h.image.height * h.image.width); };
    CHECK(std::ranges::is_sorted(answer->holdings, std::ranges::greater{}, rank));
    for (const Holding& held : answer->holdings) {
      CHECK((!held.slowdown || *held.slowdown == Approx(fastest / held.images_per_second)));
    }
    CHECK(answer->estimate.job == answer->holdings.front().job);
    CHECK(answer->fits() == (fastest > 0));
    CHECK((!answer->fits() || answer->remedies.empty()));
    CHECK(answer->remedies.empty() == answer->fits());
    ++(answer->fits() ? fitting : refused);
  }
  CHECK(fitting > 40);
  CHECK(refused > 20);
}

}  // namespace
}  // namespace vggplan::planner
