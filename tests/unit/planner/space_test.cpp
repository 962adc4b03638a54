// SPDX-License-Identifier: MIT
#include "planner/space.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <random>
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

using Pairs = std::vector<std::pair<std::int64_t, std::int64_t>>;

Pairs pairs(const std::vector<BatchChoice>& choices) {
  Pairs all;
  for (const BatchChoice& choice : choices) {
    all.emplace_back(choice.batch, choice.accumulation);
  }
  return all;
}

TEST_CASE("counts of GPUs: each of a machine, then whole machines an eighth apart at most, whatever a machine holds") {
  for (const std::int64_t per_node : {0, 1, 3, 8}) {
    for (std::int64_t gpus = 1; gpus <= 500; gpus += gpus < 40 ? 1 : 23) {
      Candidate candidate = made_up_gpu("a", 1000, gpus);
      candidate.per_node = per_node;
      PlanRequest request = request_on({candidate});
      request.precision = Precision::tf32;
      std::set<std::int64_t> expected{gpus};
      const std::int64_t machine = std::max<std::int64_t>(1, per_node);
      for (std::int64_t n = 1; n <= std::min(gpus, machine); ++n) {
        expected.insert(n);
      }
      // Up to 16 machines all; between 16 and 32 every other, and so on.
      for (std::int64_t machines = 1; machines * machine <= gpus; ++machines) {
        std::int64_t apart = 1;
        while (16 * apart < machines) {
          apart *= 2;
        }
        if (machines % std::max<std::int64_t>(1, apart) == 0) {
          expected.insert(machines * machine);
        }
      }
      INFO(gpus << " GPUs in machines of " << per_node);
      CHECK(counts(request) == expected);
      request.candidates[0].exactly = true;
      CHECK(counts(request) == std::set<std::int64_t>{gpus});
      request.candidates[0].exactly = false;
      for (const Group& group : enumerate_groups(request)) {
        CHECK(group.nodes * machine >= group.gpus);
        CHECK((group.nodes - 1) * machine < group.gpus);
      }
    }
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

TEST_CASE("what needs no model to be refused is refused for a reason of its own, unless it is asked for") {
  PlanRequest request = request_on({made_up_gpu("new", 1000, 8), made_up_gpu("old", 1000, 8, false)});
  Group group{.candidate = 0, .gpus = 4, .settings = {.precision = Precision::amp_fp16}};
  const auto reason = [&] {
    const auto refusal = refuse(request, group);
    return refusal ? refusal->reason : "";
  };
  CHECK(reason() == "numerics");
  group.candidate = 1;
  CHECK(reason().empty());
  group.settings.precision = Precision::amp_bf16;
  CHECK(reason() == "precision");
  CHECK(refuse(request, group)->message == "the GPU has no arithmetic for amp-bf16");  // rows speak for many GPUs
  group = {.candidate = 0, .gpus = 4, .settings = {.precision = Precision::amp_fp16}};
  request.precision = Precision::amp_fp16;
  CHECK(reason().empty());
  group.settings = {Precision::tf32, base::Layout::nhwc, {}, Sharding::fsdp2};
  CHECK(reason() == "combination");
  group.settings.sharding = Sharding::ddp;
  request.job.data.images = 10;
  request.batch = 3;
  CHECK(reason() == "data-set");
  request.candidates[0].exactly = true;
  CHECK(reason().empty());
  request.candidates[0].exactly = false;
  group.gpus = 3;
  CHECK(reason().empty());
  request.global_batch = 10;
  CHECK(reason() == "global-batch");
  request.max_gpus = 3;
  CHECK(reason() == "global-batch");
  request.max_gpus = 2;
  CHECK(reason() == "max-gpus");
}

TEST_CASE("the ladder has every batch up to eight, beyond them four to the octave, and its limit") {
  CHECK(batch_ladder(0).empty());
  for (std::int64_t limit = 1; limit <= 3000; limit += limit < 100 ? 1 : 37) {
    std::vector<std::int64_t> expected;
    for (std::int64_t batch = 1; batch < limit; ++batch) {
      std::int64_t apart = 1;
      while (8 * apart < batch) {
        apart *= 2;
      }
      if (batch % apart == 0) {
        expected.push_back(batch);
      }
    }
    expected.push_back(limit);
    CHECK(batch_ladder(limit) == expected);
  }
}

TEST_CASE("divisors, choices of batches and the batch of a data set are those of trying all numbers") {
  for (std::int64_t n = 1; n <= 400; ++n) {
    std::vector<std::int64_t> expected;
    for (std::int64_t i = 1; i <= n; ++i) {
      if (n % i == 0) {
        expected.push_back(i);
      }
    }
    CHECK(divisors(n) == expected);
    PlanRequest request = request_on({made_up_gpu("a", 1000, 8)});
    request.global_batch = n;
    request.job.data.images = n;
    if (n % 3 == 0) {
      request.batch = 1 + n % 5;
    }
    if (n % 4 == 0) {
      request.accumulation = 1 + n % 7;
    }
    const std::int64_t gpus = 1 + n % 6;
    Pairs choices;
    for (std::int64_t batch = 1; batch <= n; ++batch) {
      for (std::int64_t parts = 1; batch * parts * gpus <= n; ++parts) {
        if (batch * parts * gpus == n && batch == request.batch.value_or(batch) &&
            parts == request.accumulation.value_or(parts)) {
          choices.emplace_back(batch, parts);
        }
      }
    }
    CHECK(pairs(*fixed_batches(request, gpus)) == choices);
    request.global_batch.reset();
    REQUIRE(fixed_batches(request, gpus).has_value() == request.batch.has_value());
    if (request.batch) {
      CHECK(pairs(*fixed_batches(request, gpus)) == Pairs{{*request.batch, request.accumulation.value_or(1)}});
    }
    const std::int64_t most = *batch_of_data(request, gpus, 1 + n % 3);
    CHECK(most * gpus * (1 + n % 3) <= n);
    CHECK((most + 1) * gpus * (1 + n % 3) > n);
  }
  CHECK_FALSE(batch_of_data(request_on({}), 1, 1));
}

TEST_CASE("a candidate is described by what sets it apart") {
  job::Job job = support::small_job();
  CHECK(describe(job, "a") == "1 x a, tf32, nchw, batch 1");
  job.parallel = {.gpus = 4, .sharding = Sharding::zero1};
  job.checkpointing = {job::Checkpointing::Kind::sequential, 3};
  job.compile = job::Compile::usual;
  job.precision = Precision::amp_bf16;
  job.layout = base::Layout::nhwc;
  job.batch = 3;
  job.accumulation = 2;
  CHECK(describe(job, "b") ==
        "4 x b, amp-bf16, nhwc, checkpointing seq:3, compile default, zero1, batch 3 x 2 micro-batches");
  job.parallel.sharding = Sharding::ddp;
  job.compile = job::Compile::none;
  job.checkpointing = {};
  CHECK(describe(job, "b") == "4 x b, amp-bf16, nhwc, batch 3 x 2 micro-batches");
  job.parallel = {.gpus = 1, .sharding = Sharding::zero1};  // as it is refused
  CHECK(describe(job, "b") == "1 x b, amp-bf16, nhwc, batch 3 x 2 micro-batches");
  const PlanRequest request = request_on({made_up_gpu("c", 1000, 1), made_up_gpu("d", 1000, 2)});
  Group group{.candidate = 1, .gpus = 2};
  group.settings.sharding = Sharding::fsdp2;
  CHECK(describe(request, group) == "2 x d, fp32, nchw, fsdp2");
}

TEST_CASE("a tally counts each, and keeps the example that misses by least, in whatever parts it is made") {
  std::mt19937 random(3);
  for (int round = 0; round < 100; ++round) {
    std::array<Tally, 3> parts;
    std::map<std::pair<std::string, std::string>, std::vector<std::pair<Miss, std::string>>> all;
    const int count = static_cast<int>(random() % 40);
    for (int i = 0; i < count; ++i) {
      const Refusal refusal{std::string(1, static_cast<char>('a' + random() % 3)), random() % 2 == 0 ? "x" : "y"};
      const Miss miss = refusal.reason == "c" ? Miss() : Miss(base::Bytes(static_cast<std::int64_t>(random() % 1000)));
      const std::string example = std::to_string(i);
      parts.at(random() % 3).add(refusal, miss, [&] { return example; });
      all[{refusal.reason, refusal.message}].emplace_back(miss, example);
    }
    Tally tally;
    for (const Tally& part : parts) {
      tally.merge(part);
    }
    CHECK(tally.total() == count);
    const auto rows = tally.list();
    REQUIRE(rows.size() == all.size());
    CHECK(std::ranges::is_sorted(rows, std::ranges::greater{}, &Rejection::count));
    for (const Rejection& row : rows) {
      const auto& those = all.at({row.reason, row.message});
      CHECK(row.count == static_cast<std::int64_t>(those.size()));
      const Miss least = std::ranges::min(those, {}, [](const auto& one) { return one.first; }).first;
      CHECK(row.nearest_miss == least);
      CHECK(std::ranges::find(those, std::pair(least, row.example)) != those.end());
    }
  }
}

TEST_CASE("an example is asked for only where it is the nearest so far") {
  Tally tally;
  int asked = 0;
  for (const std::int64_t miss : {5, 7, 5, 3, 4, 2}) {
    tally.add({"memory", "x"}, base::Bytes(miss), [&] {
      ++asked;
      return "";
    });
  }
  CHECK(asked == 3);  // 5, 3, 2
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

TEST_CASE("one GPU has nothing to share") {
  for (const std::int64_t gpus : {1, 2}) {
    std::set<job::Sharding> found;
    for (const Group& group : enumerate_groups(request_on({made_up_gpu("a", 1000, gpus)}))) {
      if (group.gpus == gpus) {
        found.insert(group.settings.sharding);
      }
    }
    CHECK(found.size() == (gpus == 1 ? 1 : 3));
  }
}

}  // namespace
}  // namespace vggplan::planner
