// SPDX-License-Identifier: MIT
#include "planner/space.hpp"

#include <algorithm>
#include <set>

#include "support/catch.hpp"
#include "support/made_up.hpp"

namespace vggplan::planner {
namespace {

using job::Precision;
using job::Sharding;
using support::made_up_gpu;

PlanRequest request_on(std::vector<Candidate> candidates) {
  PlanRequest request;
  request.job = support::small_job();
  request.candidates = std::move(candidates);
  return request;
}

std::set<std::int64_t> counts(const PlanRequest& request) {
  std::set<std::int64_t> all;
  for (const Group& group : enumerate_groups(request)) {
    all.insert(group.gpus);
  }
  return all;
}

std::vector<std::pair<std::int64_t, std::int64_t>> pairs(const std::vector<BatchChoice>& choices) {
  std::vector<std::pair<std::int64_t, std::int64_t>> all;
  for (const BatchChoice& choice : choices) {
    all.emplace_back(choice.batch, choice.accumulation);
  }
  return all;
}

TEST_CASE("every count up to one machine is a candidate, then whole machines, then all that may be used") {
  CHECK(counts(request_on({made_up_gpu("a", 1000, 4)})) == std::set<std::int64_t>{1, 2, 3, 4});
  CHECK(counts(request_on({made_up_gpu("a", 1000, 24)})) == std::set<std::int64_t>{1, 2, 3, 4, 5, 6, 7, 8, 16, 24});
  CHECK(counts(request_on({made_up_gpu("a", 1000, 12)})) == std::set<std::int64_t>{1, 2, 3, 4, 5, 6, 7, 8, 12});
  Candidate exact = made_up_gpu("a", 1000, 6);
  exact.exactly = true;
  CHECK(counts(request_on({exact})) == std::set<std::int64_t>{6});
}

TEST_CASE("GPUs beyond one machine take as many nodes as they need") {
  for (const Group& group : enumerate_groups(request_on({made_up_gpu("a", 1000, 32)}))) {
    CHECK(group.nodes == (group.gpus + 7) / 8);
  }
}

TEST_CASE("what the user fixes stays fixed in every candidate") {
  PlanRequest request = request_on({made_up_gpu("a", 1000, 3)});
  request.precision = Precision::fp32;
  request.layout = base::Layout::nhwc;
  request.checkpointing = job::Checkpointing{job::Checkpointing::Kind::sequential, 3};
  request.sharding = Sharding::zero1;
  const auto groups = enumerate_groups(request);
  CHECK(groups.size() == 3);
  for (const Group& group : groups) {
    CHECK(group.settings.precision == Precision::fp32);
    CHECK(group.settings.layout == base::Layout::nhwc);
    CHECK(group.settings.checkpointing == request.checkpointing);
    CHECK(group.settings.sharding == Sharding::zero1);
    CHECK(refuse(request, group).has_value() == (group.gpus == 1));  // nothing to spread it over
  }
}

TEST_CASE("a fixed number of machines stays, each with as many GPUs as the others") {
  PlanRequest request = request_on({made_up_gpu("a", 1000, 8)});
  request.nodes = 3;
  std::set<std::int64_t> counts;
  for (const Group& group : enumerate_groups(request)) {
    CHECK(group.nodes == 3);
    counts.insert(group.gpus);
  }
  CHECK(counts == std::set<std::int64_t>{3, 6});
}

TEST_CASE("beyond 16 machines counts are an eighth apart at most, and the largest is always there") {
  std::int64_t last = 0;
  std::set<std::int64_t> counts;
  for (const Group& group : enumerate_groups(request_on({made_up_gpu("a", 1000, 4096)}))) {
    counts.insert(group.gpus);
  }
  CHECK(counts.size() < 100);
  for (const std::int64_t gpus : counts) {
    CHECK(gpus - last <= (gpus <= 8 ? 1 : std::max<std::int64_t>(8, last / 8)));
    last = gpus;
  }
  CHECK(last == 4096);
}

TEST_CASE("GPUs beyond what the data set keeps busy are refused, unless their number or the batch of all is fixed") {
  PlanRequest request = request_on({made_up_gpu("a", 1000, 8)});
  request.job.data.images = 10;
  request.batch = 3;
  Group group;
  group.gpus = 4;
  REQUIRE(refuse(request, group));
  CHECK(refuse(request, group)->reason == "data-set");
  group.gpus = 3;
  CHECK_FALSE(refuse(request, group));
  group.gpus = 4;
  request.candidates.front().exactly = true;
  CHECK_FALSE(refuse(request, group));
}

TEST_CASE("what changes training is not chosen unasked: pure bf16 and true fp32 are no candidates") {
  for (const Group& group : enumerate_groups(request_on({made_up_gpu("a", 1000, 2)}))) {
    CHECK(group.settings.precision != Precision::bf16);
    CHECK(group.settings.precision != Precision::fp32);
  }
}

TEST_CASE("float16 is refused where bfloat16 runs, unless it is asked for") {
  PlanRequest request = request_on({made_up_gpu("both", 1000, 1)});
  Group group;
  group.settings.precision = Precision::amp_fp16;
  REQUIRE(refuse(request, group));
  CHECK(refuse(request, group)->reason == "numerics");
  request.precision = Precision::amp_fp16;
  CHECK_FALSE(refuse(request, group));
}

TEST_CASE("a precision without units on the GPU is refused") {
  const PlanRequest request = request_on({made_up_gpu("old", 1000, 1, false)});
  Group group;
  group.settings.precision = Precision::amp_bf16;
  REQUIRE(refuse(request, group));
  CHECK(refuse(request, group)->reason == "precision");
  CHECK(refuse(request, group)->message == "the GPU has no arithmetic for amp-bf16");  // rows speak for many GPUs
  group.settings.precision = Precision::amp_fp16;
  CHECK_FALSE(refuse(request, group));
}

TEST_CASE("FSDP2 with channels_last is refused as a combination") {
  const PlanRequest request = request_on({made_up_gpu("a", 1000, 2)});
  Group group;
  group.gpus = 2;
  group.settings = {Precision::tf32, base::Layout::nhwc, {}, Sharding::fsdp2};
  REQUIRE(refuse(request, group));
  CHECK(refuse(request, group)->reason == "combination");
}

TEST_CASE("the ladder has every batch up to eight, then four to the octave, and its limit") {
  CHECK(batch_ladder(0).empty());
  CHECK(batch_ladder(5) == std::vector<std::int64_t>{1, 2, 3, 4, 5});
  CHECK(batch_ladder(11) == std::vector<std::int64_t>{1, 2, 3, 4, 5, 6, 7, 8, 10, 11});
  CHECK(batch_ladder(40) == std::vector<std::int64_t>{1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40});
  const auto high = batch_ladder(1'000'000);
  CHECK(std::ranges::is_sorted(high));
  CHECK(high.back() == 1'000'000);
  CHECK(high.size() < 90);
}

TEST_CASE("a global batch is met exactly: micro-batch x accumulation x GPUs") {
  PlanRequest request = request_on({made_up_gpu("a", 1000, 4)});
  request.global_batch = 24;
  using Pairs = std::vector<std::pair<std::int64_t, std::int64_t>>;
  CHECK(pairs(*fixed_batches(request, 4)) == Pairs{{1, 6}, {2, 3}, {3, 2}, {6, 1}});
  CHECK(pairs(*fixed_batches(request, 1)).size() == 8);
  CHECK(fixed_batches(request, 5)->empty());
  request.batch = 3;
  CHECK(pairs(*fixed_batches(request, 4)) == Pairs{{3, 2}});
  request.accumulation = 4;
  CHECK(fixed_batches(request, 4)->empty());
}

TEST_CASE("without a wish for the batch it is open, with one it is fixed") {
  PlanRequest request = request_on({made_up_gpu("a", 1000, 4)});
  CHECK_FALSE(fixed_batches(request, 4));
  request.batch = 7;
  request.accumulation = 2;
  REQUIRE(fixed_batches(request, 4));
  CHECK(pairs(*fixed_batches(request, 4)) == std::vector<std::pair<std::int64_t, std::int64_t>>{{7, 2}});
}

TEST_CASE("the multiple that an error about --global-batch proposes is accepted") {
  const estimate::Engine engine = support::engine_of(support::World{});
  for (const std::int64_t gpus : {1, 2, 3, 6}) {
    for (const std::int64_t batch : {1, 4, 5}) {
      for (const std::int64_t accumulation : {1, 3}) {
        PlanRequest request = request_on({made_up_gpu("a", 100'000, gpus)});
        request.candidates.front().exactly = true;
        request.batch = batch == 1 ? std::nullopt : std::optional(batch);
        request.accumulation = accumulation == 1 ? std::nullopt : std::optional(accumulation);
        request.global_batch = gpus * batch * accumulation + 1;
        const auto refused = plan(request, engine);
        const std::string said = refused ? "" : refused.error().remedy;
        const std::string words = "give a multiple of ";
        if (said.starts_with(words)) {
          request.global_batch = 2 * std::stoll(said.substr(words.size()));
          CHECK(plan(request, engine).has_value());
          CHECK(*request.global_batch <= 2 * gpus * batch * accumulation);
        }
        CHECK((refused || !said.empty()));
      }
    }
  }
}

TEST_CASE("a reserve is a share below all, or a size") {
  const estimate::Engine engine = support::engine_of(support::World{});
  const auto answers = [&](double percent, std::int64_t bytes) {
    PlanRequest request = request_on({made_up_gpu("a", 100'000, 1)});
    request.reserve = {percent, base::Bytes(bytes)};
    return plan(request, engine).has_value();
  };
  CHECK(answers(0, 0));
  CHECK(answers(99.9, 0));
  CHECK(answers(0, 1));
  CHECK_FALSE(answers(-0.1, 0));
  CHECK_FALSE(answers(100, 0));
  CHECK_FALSE(answers(0, -1));
}

}  // namespace
}  // namespace vggplan::planner
