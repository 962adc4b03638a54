// SPDX-License-Identifier: MIT
#include "vggplan/planner/plan.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "support/catch.hpp"
#include "support/made_up.hpp"

namespace vggplan::planner {
namespace {

using estimate::Verdict;
using job::Precision;
using support::engine_of;
using support::made_up_gpu;
using support::World;

PlanRequest request_for(std::vector<Candidate> candidates) {
  PlanRequest request;
  request.job = support::small_job();
  request.candidates = std::move(candidates);
  return request;
}

std::string error_of(const PlanRequest& request) {
  const auto answer = plan(request, engine_of(World{}));
  REQUIRE_FALSE(answer.has_value());
  CHECK(answer.error().fault == base::Fault::question);
  return answer.error().place + ": " + answer.error().rule;
}

TEST_CASE("a question that makes no sense is an error that names its flag") {
  CHECK(error_of(request_for({})) == "--gpus: a plan needs at least one GPU to choose from");
  PlanRequest request = request_for({made_up_gpu("a", 2000, 1)});
  request.batch = 0;
  CHECK(error_of(request).starts_with("--batch: "));
  request = request_for({made_up_gpu("a", 2000, 1)});
  request.global_batch = -4;
  CHECK(error_of(request).starts_with("--global-batch: "));
  request = request_for({made_up_gpu("a", 2000, 1)});
  for (const Reserve reserve : {Reserve{100, {}}, Reserve{-0.1, {}}, Reserve{0, base::Bytes(-1)}}) {
    request.reserve = reserve;
    CHECK(error_of(request).starts_with("--reserve: "));
  }
  request.reserve = {.percent = 99.9};
  CHECK(plan(request, engine_of(World{})).has_value());
  request = request_for({made_up_gpu("a", 2000, 1)});
  request.deadline = base::Seconds(60);
  CHECK(error_of(request).starts_with("--deadline: "));
  request = request_for({made_up_gpu("a", 2000, 1)});
  request.job.image.height = 8;
  CHECK_FALSE(error_of(request).empty());
}

TEST_CASE("numbers are asked for within limits, which are told") {
  const auto error = [](auto change) {
    PlanRequest request = request_for({made_up_gpu("a", 2000, 1)});
    request.precision = Precision::tf32;
    request.layout = base::Layout::nchw;
    request.checkpointing = job::Checkpointing{};
    request.solve_resolution = false;
    change(request);
    const auto answer = plan(request, engine_of(World{}));
    return answer ? "" : answer.error().place + ": " + answer.error().rule;
  };
  const auto with_gpus = [&](std::int64_t gpus) {
    return error([&](PlanRequest& r) {
      r.candidates[0].gpus = gpus;
      r.candidates[0].exactly = true;
    });
  };
  CHECK(with_gpus(0) == "--gpus: the number of GPUs is from 1 to 4096, not 0");
  CHECK(with_gpus(4097) == "--gpus: the number of GPUs is from 1 to 4096, not 4097");
  CHECK(with_gpus(1).empty());
  CHECK(with_gpus(4096).empty());
  constexpr std::int64_t kMost = std::int64_t{1} << 31;
  const std::string beyond = fmt::format(": from 1 to {}, not {}", kMost, kMost + 1);
  using Number = std::optional<std::int64_t> PlanRequest::*;
  for (const auto& [flag, number] : {std::pair<std::string, Number>("--batch", &PlanRequest::batch),
                                     std::pair<std::string, Number>("--accumulation", &PlanRequest::accumulation),
                                     std::pair<std::string, Number>("--global-batch", &PlanRequest::global_batch)}) {
    const auto with_number = [&, field = number](std::int64_t value) {
      return error([&](PlanRequest& r) { r.*field = value; });
    };
    CHECK(with_number(kMost + 1) == flag + beyond);
    CHECK(with_number(kMost).starts_with(flag + ": "));
    CHECK(with_number(kMost).find("from 1 to 2147483648") == std::string::npos);
    CHECK(with_number(0).starts_with(flag + ": from 1 to"));
    CHECK(with_number(1).empty());
  }
  CHECK(error([&](PlanRequest& r) {
          r.global_batch = kMost;
        }).starts_with("--global-batch: 2147483648 images are too many"));
  // More micro-batches than a step may have are no reason where there are larger ones.
  CHECK(error([&](PlanRequest& r) { r.global_batch = 1 << 20; }).empty());
}

TEST_CASE("a limit needs the number of images, and says which limit") {
  for (const bool time : {false, true}) {
    for (const bool money : {false, true}) {
      PlanRequest request = request_for({made_up_gpu("a", 2600, 1)});
      request.deadline = time ? std::optional(base::Seconds(1e6)) : std::nullopt;
      request.max_cost = money ? std::optional(base::Usd(1e6)) : std::nullopt;
      const auto answer = plan(request, engine_of(World{}));
      REQUIRE(answer.has_value() == (!time && !money));
      CHECK((answer || answer.error().place == (time ? "--deadline" : "--max-cost")));
      request.job.data.images = 10;
      CHECK(plan(request, engine_of(World{})).has_value());
    }
  }
}

TEST_CASE("what makes no sense for all candidates is told as it is without a global batch") {
  for (int which = 0; which < 4; ++which) {
    PlanRequest request = request_for({made_up_gpu("a", 2600, 2), made_up_gpu("b", 2600, 4, false)});
    for (Candidate& candidate : request.candidates) {
      candidate.exactly = true;
    }
    switch (which) {
      case 0: request.job.image.height = 8; break;
      case 1:
        request.job.optimizer = job::Optimizer::rmsprop;
        request.job.optimizer_impl = job::OptimizerImpl::fused;
        break;
      case 2:
        request.sharding = job::Sharding::fsdp2;
        request.layout = base::Layout::nhwc;
        break;
      case 3:
        request.precision = Precision::amp_bf16;
        request.candidates.erase(request.candidates.begin());
        break;
      default: break;
    }
    const std::string open = error_of(request);
    request.global_batch = 8;
    INFO(open);
    CHECK(error_of(request) == open);
  }
}

TEST_CASE("of errors of all candidates that of the last one's most GPUs is told") {
  PlanRequest request = request_for({});
  const auto told = [&](std::vector<Candidate> candidates) {
    request.candidates = std::move(candidates);
    return error_of(request);
  };
  Candidate only = made_up_gpu("b", 2600, 3, false);
  only.exactly = true;
  const auto check = [&] {
    const std::string expected = told({only});
    CHECK(told({made_up_gpu("b", 2600, 3, false)}) == expected);
    CHECK(told({made_up_gpu("a", 2600, 4, false), made_up_gpu("b", 2600, 3, false)}) == expected);
    CHECK(told({made_up_gpu("a", 2600, 3, false), made_up_gpu("b", 2600, 3, false)}) == expected);
  };
  request.precision = Precision::amp_bf16;
  check();
  request.global_batch = 7;
  request.batch = 2;
  check();
}

TEST_CASE("a global batch that does not divide: what was asked for, and what would") {
  PlanRequest request = request_for({made_up_gpu("a", 2600, 3)});
  const auto refused = [&](std::int64_t gpus, std::optional<std::int64_t> batch,
                           std::optional<std::int64_t> accumulation) {
    request.candidates[0].gpus = gpus;
    request.candidates[0].exactly = true;
    request.batch = batch;
    request.accumulation = accumulation;
    request.global_batch = 7;
    const auto answer = plan(request, engine_of(World{}));
    REQUIRE_FALSE(answer.has_value());
    return answer.error().place + ": " + answer.error().rule + "; " + answer.error().remedy;
  };
  const std::string of_three = "--global-batch: 7 images do not divide into whole micro-batches on 3 GPUs; ";
  CHECK(refused(3, {}, {}) == of_three + "give a multiple of 3");
  CHECK(refused(3, 2, {}) == of_three + "give a multiple of 6");
  CHECK(refused(3, {}, 5) == of_three + "give a multiple of 15");
  CHECK(refused(3, 2, 5) == of_three + "it is 30 with --batch 2 and --accumulation 5; leave one of them out");
  CHECK(refused(1, 2, {}) ==
        "--global-batch: 7 images do not divide into whole micro-batches on 1 GPU; "
        "give a multiple of 2");
}

TEST_CASE("of GPUs without a price only the cheapest knows nothing, and says of how many") {
  const auto warning = [](Objective objective, const support::Prices& prices) {
    PlanRequest request = request_for({made_up_gpu("a", 2600, 1), made_up_gpu("b", 2600, 1)});
    request.objective = objective;
    const auto answer = plan(request, engine_of(World{}, prices));
    const auto found = std::ranges::find(answer->warnings, "price-unknown", &estimate::Warning::code);
    return found == answer->warnings.end() ? "" : found->message;
  };
  CHECK(warning(Objective::cheapest, {}).starts_with("no price is known"));
  CHECK(warning(Objective::cheapest, {{"a", 1}}).starts_with("some of the GPUs have no price"));
  CHECK(warning(Objective::cheapest, {{"a", 1}, {"b", 2}}).empty());
  CHECK(warning(Objective::fastest, {}).empty());
  PlanRequest alone = request_for({made_up_gpu("a", 2600, 1)});
  alone.objective = Objective::cheapest;
  alone.batch = 1;
  alone.precision = job::Precision::tf32;
  alone.layout = base::Layout::nchw;
  alone.checkpointing = job::Checkpointing{};
  CHECK(plan(alone, engine_of(World{}))->warnings.front().code == "price-unknown");
}

TEST_CASE("a step that takes more images than there are is warned of") {
  for (const std::int64_t images : {7, 8, 9}) {
    PlanRequest request = request_for({made_up_gpu("a", 2600, 2)});
    request.candidates[0].exactly = true;
    request.batch = 4;
    request.job.data.images = images;
    const auto answer = plan(request, engine_of(World{}));
    const auto found = std::ranges::find(answer->warnings, "batch-above-data-set", &estimate::Warning::code);
    REQUIRE((found == answer->warnings.end()) == (images >= 8));
    CHECK((images >= 8 || found->message == "one optimizer step takes 8 images, and the data set has 7"));
    request.candidates[0].target.usable = base::Bytes(100);
    const auto refused = plan(request, engine_of(World{}));
    CHECK(std::ranges::find(refused->warnings, "batch-above-data-set", &estimate::Warning::code) ==
          refused->warnings.end());
  }
}

TEST_CASE("a reserve is told in bytes of the GPU that the plan speaks of") {
  PlanRequest request = request_for({made_up_gpu("old", 2600, 1, false), made_up_gpu("new", 3000, 1)});
  request.precision = Precision::amp_bf16;
  const auto told = [&](std::int64_t image_side) {
    request.job.image = {3, image_side, image_side};
    const auto answer = plan(request, engine_of(World{}));
    const auto found = std::ranges::find(answer->assumptions, "reserve", &estimate::Assumption::name);
    return found == answer->assumptions.end() ? "" : found->value;
  };
  CHECK(told(100).empty());
  request.reserve.percent = 10;
  CHECK(told(100) == "300 B of each new's memory is kept free");
  CHECK(told(2000) == "300 B of each new's memory is kept free");  // nothing fits
  request.reserve.percent = 0.5;
  CHECK(told(100) == "15 B of each new's memory is kept free");
  request.reserve = {.percent = 0, .bytes = base::Bytes(1)};
  CHECK(told(100) == "1 B of each new's memory is kept free");
  request.reserve = {.percent = 0, .bytes = base::Bytes(17)};
  CHECK(told(100) == "17 B of each new's memory is kept free");
}

TEST_CASE("the plan's counts are those of one image, its storage that of the recommended job") {
  PlanRequest request = request_for({made_up_gpu("a", 2600, 2), made_up_gpu("b", 900, 4)});
  request.candidates[0].exactly = true;
  auto engine = engine_of(World{});
  engine.full = [ask = engine.full](const job::Job& job, const estimate::Target& target) {
    auto full = ask(job, target);
    full->model.macs_forward = job.batch * job.accumulation;
    full->storage.total = base::Bytes(job.parallel.gpus * 100 + job.batch);
    full->model.name = target.gpu.name;
    full->warnings = {{"own", "the estimate's", ""}};
    full->assumptions = {{"own", "the estimate's", ""}};
    return full;
  };
  request.accumulation = 2;
  request.batch = 3;
  const auto answer = plan(request, engine);
  REQUIRE(answer->recommendation);
  CHECK(answer->model.macs_forward == 1);
  CHECK(answer->model.name == "a");
  CHECK(answer->storage.total == base::Bytes(203));
  CHECK(std::ranges::count(answer->warnings, "own", &estimate::Warning::code) == 1);
  CHECK(std::ranges::count(answer->assumptions, "own", &estimate::Assumption::name) == 1);
  request.candidates.erase(request.candidates.begin());
  const auto refused = plan(request, engine);
  REQUIRE_FALSE(refused->recommendation);
  CHECK(refused->model.macs_forward == 1);
  CHECK(refused->storage.total == base::Bytes(101));
}

TEST_CASE("a batch that fits above one that does not is warned of") {
  World world;
  auto engine = engine_of(world);
  engine.memory = [ask = engine.memory](const job::Job& job, const estimate::Target& target) {
    auto answer = ask(job, target);
    answer->verdict = job.batch <= 3 || job.batch == 6 ? Verdict::fits : Verdict::does_not_fit;
    return answer;
  };
  const PlanRequest request = request_for({made_up_gpu("a", 2600, 1)});
  const auto answer = plan(request, engine);
  const auto warning = std::ranges::find(answer->warnings, "fit-flickers", &estimate::Warning::code);
  REQUIRE(warning != answer->warnings.end());
  CHECK(warning->message.starts_with("batches up to 3 run; of the larger ones up to 6"));
  CHECK(answer->max_batch.front().hard == 3);
  CHECK(answer->max_batch.front().possible == 6);
  engine.full = [ask = engine.full](const job::Job& job, const estimate::Target& target) {
    auto full = ask(job, target);
    full->warnings = {{"fit-flickers", "the estimate's", ""}};
    return full;
  };
  const auto told = plan(request, engine);
  CHECK(std::ranges::count(told->warnings, "fit-flickers", &estimate::Warning::code) == 1);
  const auto plain = plan(request, engine_of(world));
  CHECK(std::ranges::find(plain->warnings, "fit-flickers", &estimate::Warning::code) == plain->warnings.end());
}

TEST_CASE("rows of what was rejected name no GPU but in their example") {
  const auto answer =
      plan(request_for({made_up_gpu("new", 2600, 2), made_up_gpu("old", 2600, 2, false)}), engine_of(World{}));
  REQUIRE_FALSE(answer->rejected.empty());
  for (const Rejection& row : answer->rejected) {
    INFO(row.message);
    CHECK(row.message.find("new") == std::string::npos);
    CHECK(row.message.find("old") == std::string::npos);
  }
}

TEST_CASE("inference is not told of gradients, nor of optimizers") {
  PlanRequest request = request_for({made_up_gpu("a", 2600, 4)});
  request.job.mode = job::Mode::infer;
  const auto answer = plan(request, engine_of(World{}));
  REQUIRE(answer->recommendation);
  std::string text;
  for (const std::string& sentence : answer->recommendation->why) {
    text += sentence;
  }
  for (const Rejection& row : answer->rejected) {
    text += row.message;
  }
  CHECK(text.find("gradient") == std::string::npos);
  CHECK(text.find("optimizer") == std::string::npos);
}

PlanRequest limited_request(double seconds, double usd) {
  PlanRequest request = request_for({made_up_gpu("a", 2600, 2)});
  request.job.data.images = 100'000;
  request.batch = 4;
  request.deadline = base::Seconds(seconds);
  request.max_cost = base::Usd(usd);
  return request;
}

TEST_CASE("what is rejected says by how much the nearest misses, in the unit of its reason") {
  World world;
  world.slack = 1;  // nothing lies between what fits and what does not
  const auto engine = engine_of(world, {{"a", 3600.0}});
  const auto miss = [](const Plan& plan, const std::string& reason) {
    const auto row = std::ranges::find(plan.rejected, reason, &Rejection::reason);
    REQUIRE(row != plan.rejected.end());
    return row->nearest_miss;
  };
  PlanRequest request = limited_request(1, 1e6);
  const auto late = plan(request, engine);
  request.deadline.reset();
  const auto free = plan(request, engine);
  const double fastest = 100'000 / free->recommendation->estimate.time.images_per_second.value;
  CHECK(std::get<base::Seconds>(miss(*late, "deadline")).count() == Approx(fastest - 1).epsilon(0.011));
  CHECK(std::get<base::Usd>(miss(*plan(limited_request(1e9, 1), engine), "max-cost")) > base::Usd(0));
  request.batch.reset();
  const auto open = plan(request, engine);
  CHECK(std::get<base::Bytes>(miss(*open, "memory")) > base::Bytes(0));
}

}  // namespace
}  // namespace vggplan::planner
