// SPDX-License-Identifier: MIT
// What a plan promises, over random plans with the real models: it fits the card, keeps the reserve, and nothing that
// the report lists or that can be asked is better. VGGPLAN_PLANS in the environment sets how many are tried,
// VGGPLAN_SEED which.
#include <algorithm>
#include <regex>

#include "planner/judge.hpp"
#include "support/catch.hpp"
#include "support/random_job.hpp"
#include "support/real_request.hpp"
#include "vggplan/planner/plan.hpp"

namespace vggplan::planner {
namespace {

using estimate::Verdict;
using support::pick;

int plans() { return static_cast<int>(support::number_of("VGGPLAN_PLANS", 30)); }

/// Of question `i` in the series of one test.
std::mt19937 seeded(std::uint32_t series, int i) {
  return std::mt19937(support::number_of("VGGPLAN_SEED", 0) * 1'000'003 + series + static_cast<std::uint32_t>(i));
}

template <class T>
const T& any_of(std::mt19937& random, const std::vector<T>& choices) {
  return choices.at(random() % choices.size());
}

estimate::Knowledge knowledge_with_prices() {
  estimate::Knowledge knowledge = support::known();
  knowledge.prices = {{"l4", base::Usd(0.7)}, {"t4", base::Usd(0.35)}, {"h100-sxm5-80gb", base::Usd(3)}};
  return knowledge;
}

const estimate::Engine& engine() {
  static const estimate::Engine kEngine = estimate::make_engine(knowledge_with_prices());
  return kEngine;
}

job::Job random_open_job(std::mt19937& random) {
  job::Job job;
  job.model = support::built_in_catalog().model(any_of(random, support::built_in_catalog().model_names())).value();
  const std::int64_t side = any_of<std::int64_t>(random, {64, 96, 224, 512, 1024, 4024});
  job.image = {3, side, random() % 2 == 0 ? side : std::max<std::int64_t>(32, side * 3 / 4)};
  job.head = static_cast<graph::Head>(random() % (side <= 600 ? 3 : 1));
  job.optimizer = static_cast<job::Optimizer>(random() % 4);
  job.optimizer_impl = static_cast<job::OptimizerImpl>(random() % 3);
  job.mode = random() % 6 == 0 ? job::Mode::infer : job::Mode::train;
  job.expandable_segments = random() % 8 == 0;
  if (random() % 4 == 0) {
    job.data.images = pick(random, 100, 100'000);
    job.data.epochs = pick(random, 1, 90);
  }
  return job;
}

void limit_some(std::mt19937& random, PlanRequest& request) {
  request.objective = static_cast<Objective>(random() % 6 < 3 ? 0 : random() % 3);
  if (random() % 3 == 0) {
    request.reserve.percent = any_of<double>(random, {5, 10, 25});
  }
  if (random() % 8 == 0) {
    request.reserve.bytes = base::kMiB * pick(random, 1, 4000);
  }
  if (random() % 6 == 0) {
    request.precision = static_cast<job::Precision>(random() % 5);
  }
  if (random() % 8 == 0) {
    request.sharding = static_cast<job::Sharding>(random() % 3);
  }
  if (random() % 6 == 0) {
    request.batch = pick(random, 1, 64);
  } else if (random() % 6 == 0) {
    request.global_batch = pick(random, 1, 32) * 8;
  }
}

PlanRequest random_request(std::mt19937& random) {
  PlanRequest request;
  request.job = random_open_job(random);
  limit_some(random, request);
  const std::vector<std::string> names = support::built_in_catalog().gpu_names();
  const std::size_t gpus = random() % 4 == 0 ? 3 : 1;
  for (std::size_t i = 0; i < gpus; ++i) {
    Candidate candidate;
    candidate.target = support::target(any_of(random, names));
    candidate.gpus = any_of<std::int64_t>(random, {1, 1, 2, 4, 8, 16});
    const bool known = std::ranges::any_of(
        request.candidates, [&](const Candidate& other) { return other.target.gpu.name == candidate.target.gpu.name; });
    if (!known) {
      request.candidates.push_back(candidate);
    }
  }
  for (const std::string& name : names) {
    request.others.push_back(support::target(name));
  }
  request.threads = 1;
  return request;
}

const Candidate& candidate_of(const PlanRequest& request, const std::string& gpu) {
  return *std::ranges::find_if(request.candidates, [&](const Candidate& c) { return c.target.gpu.name == gpu; });
}

/// Counted here once more, so that a planner that counts wrong does not agree with itself.
base::Bytes asked_to_leave(const PlanRequest& request, base::Bytes usable) {
  const double share = usable.as_double() * request.reserve.percent / 100;
  return request.reserve.bytes + base::Bytes(static_cast<std::int64_t>(share));
}

/// The upper end of the range of what is reserved fits, and keeps the reserve.
bool is_certain(const PlanRequest& request, const job::Job& job, const estimate::Target& target) {
  const base::Bytes usable = engine().usable(job, target);
  return engine().reserved_high(job, target).value() <= usable - asked_to_leave(request, usable);
}

void fits_and_keeps_reserve(const PlanRequest& request, const job::Job& job, const std::string& gpu) {
  const estimate::Target& target = candidate_of(request, gpu).target;
  const auto full = engine().full(job, target);
  INFO(gpu << ": " << support::description(job));
  REQUIRE(full.has_value());
  const estimate::Memory& memory = full->memory;
  CHECK(memory.verdict == Verdict::fits);
  CHECK(memory.device_used.value <= target.gpu.memory_total);
  CHECK(memory.headroom >= asked_to_leave(request, memory.usable));
  const std::int64_t per_node = candidate_of(request, gpu).per_node;
  CHECK(job.parallel.gpus <= job.parallel.nodes * per_node);
  CHECK(job.parallel.gpus <= candidate_of(request, gpu).gpus);
}

void is_what_the_engine_says(const PlanRequest& request, const Evaluated& listed) {
  fits_and_keeps_reserve(request, listed.job, listed.gpu);
  const auto full = engine().full(listed.job, candidate_of(request, listed.gpu).target);
  CHECK(listed.run_peak == full->memory.run_peak.value);
  CHECK(listed.reserved_peak == full->memory.reserved_peak.value);
  CHECK(listed.images_per_second == Approx(full->time.images_per_second.value));
}

void no_sentence_is_better(const Recommendation& best) {
  const std::regex gain("Up to batch [0-9]+ fits; it would change the rate by \\+([0-9.]+) %");
  for (const std::string& sentence : best.why) {
    std::smatch found;
    INFO(sentence);
    CHECK((!std::regex_search(sentence, found, gain) || std::stod(found[1]) <= 1.05));
    CHECK(sentence.find("nan") == std::string::npos);
    CHECK((best.estimate.job.mode == job::Mode::train || sentence.find("radient") == std::string::npos));
  }
}

void check_limits(const PlanRequest& request, const Plan& plan) {
  const auto runs = [&](const job::Job& job, const estimate::Target& target, bool flushing) {
    const auto answer = engine().memory(job, target);
    const bool well = answer->verdict == Verdict::fits || (flushing && answer->verdict != Verdict::does_not_fit);
    return well && answer->reserved_peak <= answer->usable - asked_to_leave(request, answer->usable);
  };
  for (const MaxBatch& cell : plan.max_batch) {
    job::Job job = plan.job;
    const Candidate& candidate = candidate_of(request, cell.gpu);
    job.precision = cell.precision;
    job.layout = cell.layout;
    job.checkpointing = cell.checkpointing;
    job.parallel = {.gpus = cell.gpus,
                    .nodes = (cell.gpus + candidate.per_node - 1) / candidate.per_node,
                    .sharding = cell.sharding,
                    .bucket = job.parallel.bucket,
                    .bucket_view = job.parallel.bucket_view};
    for (const auto& [batch, flushing] : {std::pair(cell.steady, false), std::pair(cell.hard, true)}) {
      job.batch = batch;
      INFO(cell.gpu << ": " << support::description(job));
      CHECK((batch == 0 || runs(job, candidate.target, flushing)));
      CHECK(cell.usable == engine().usable(job, candidate.target));
    }
  }
  if (plan.max_resolution && plan.max_resolution->height > 0) {
    job::Job job = plan.max_resolution->job;
    job.image.height = plan.max_resolution->height;
    job.image.width = plan.max_resolution->width;
    fits_and_keeps_reserve(request, job, plan.max_resolution->gpu);
  }
}

void check_recommendation(const PlanRequest& request, const Plan& plan) {
  const Recommendation& best = *plan.recommendation;
  is_what_the_engine_says(request, best.figures);
  CHECK(best.estimate.job == best.figures.job);
  no_sentence_is_better(best);
  const auto certain = [&](const Evaluated& e) {
    return is_certain(request, e.job, candidate_of(request, e.gpu).target);
  };
  const Score own = score(request, best.figures);
  for (const auto* list : {&plan.alternatives, &plan.pareto}) {
    for (const Evaluated& listed : *list) {
      is_what_the_engine_says(request, listed);
      const Score other = score(request, listed);
      INFO(listed.gpu << ": " << support::description(listed.job));
      CHECK((other.rank > own.rank || (other.rank == own.rank && own.figure <= other.figure * kBand * 1.0001)));
      CHECK((certain(listed) || !certain(best.figures)));
    }
  }
}

/// The request as its remedy says to change it.
PlanRequest with(PlanRequest request, const Remedy& remedy) {
  request.job = remedy.job;
  request.accumulation = remedy.job.accumulation;
  request.global_batch.reset();
  support::settle(request, remedy.job);
  request.candidates = support::request_for(remedy.job, remedy.gpu, remedy.job.parallel.gpus).candidates;
  request.solve_resolution = false;
  return request;
}

void check_remedies(const PlanRequest& request, const Plan& plan) {
  for (const Remedy& remedy : plan.remedies) {
    INFO(remedy.change << " on " << remedy.gpu << ": " << support::description(remedy.job));
    CHECK(remedy.change.find("e+") == std::string::npos);
    CHECK(remedy.change.find("$0.0000") == std::string::npos);
    CHECK(remedy.job.parallel.gpus <= request.max_gpus.value_or(1 << 20));
    if (remedy.change.find("none that is known") != std::string::npos) {
      continue;
    }
    const auto applied = planner::plan(with(request, remedy), engine());
    REQUIRE(applied.has_value());
    REQUIRE(applied->recommendation);
    CHECK(applied->recommendation->estimate.memory.verdict == Verdict::fits);
  }
}

TEST_CASE("a plan keeps its word") {
  int recommended = 0;
  for (int i = 0; i < plans(); ++i) {
    std::mt19937 random = seeded(7000, i);
    const PlanRequest request = random_request(random);
    INFO("plan " << i << " of VGGPLAN_SEED " << support::number_of("VGGPLAN_SEED", 0) << ": "
                 << support::description(request.job));
    const auto answer = plan(request, engine());
    if (!answer) {  // settings that never go together
      continue;
    }
    CHECK(answer->evaluated + answer->rejected_count == answer->enumerated);
    check_limits(request, *answer);
    if (answer->recommendation) {
      ++recommended;
      check_recommendation(request, *answer);
    } else {
      check_remedies(request, *answer);
    }
  }
  CHECK(recommended > plans() / 2);
}

TEST_CASE("remedies of random refusals do what they say, keep the reserve and know how many GPUs are allowed") {
  std::size_t applied = 0;
  for (int i = 0; i < plans() / 2; ++i) {
    std::mt19937 random = seeded(9000, i);
    PlanRequest request = random_request(random);
    request.candidates = {request.candidates.front()};
    request.candidates.front().gpus = any_of<std::int64_t>(random, {1, 1, 2, 4});
    request.candidates.front().exactly = true;
    request.global_batch.reset();
    request.batch = 2;
    request.precision = job::Precision::tf32;
    request.layout = base::Layout::nchw;
    request.checkpointing = job::Checkpointing{};
    request.sharding = job::Sharding::ddp;
    request.max_gpus = any_of<std::int64_t>(random, {4, 8});
    request.solve_resolution = false;
    request.job.data.images.reset();
    const auto floor = engine().memory_floor(request.job, request.candidates.front().target);
    request.candidates.front().target.usable = floor * static_cast<std::int64_t>(9) / static_cast<std::int64_t>(10);
    const auto answer = plan(request, engine());
    if (answer && !answer->recommendation) {
      for (const Remedy& remedy : answer->remedies) {
        PlanRequest followed = with(request, remedy);
        if (remedy.code != "more-memory") {
          followed.candidates.front().target.usable = request.candidates.front().target.usable;
        } else if (remedy.change.find("none that is known") != std::string::npos) {
          continue;
        }
        INFO("refusal " << i << ": " << remedy.change << " on " << remedy.gpu);
        CHECK(remedy.job.parallel.gpus <= *request.max_gpus);
        const auto after = plan(followed, engine());
        REQUIRE(after.has_value());
        REQUIRE(after->recommendation);
        ++applied;
      }
    }
  }
  CHECK(4 * applied > 3 * static_cast<std::size_t>(plans()));  // networks that no checkpoint cuts have fewer
}

/// Useful images per second of the best batch: up to 128 all that the floor of memory allows are tried, then every
/// 16th. A candidate is as good as its upper end is certain: 0 where none is.
double best_of_all(const PlanRequest& request, job::Job job, const estimate::Target& target) {
  double best = 0;
  for (job.batch = 1; engine().memory_floor(job, target) <= engine().usable(job, target);
       job.batch += job.batch < 128 ? 1 : 16) {
    const auto figures = evaluate(job, target, {}, engine());
    const bool faster = figures && figures->useful_images_per_second > best;
    if (faster && engine().memory(job, target)->verdict == Verdict::fits && is_certain(request, job, target)) {
      best = figures->useful_images_per_second;
    }
  }
  return best;
}

/// No settings that the planner may choose, fp16 where there is no bf16, and no batch are faster than the recommended
/// ones by more than the band, and `beside` it.
void is_fastest(const PlanRequest& request, const Plan& plan, double beside) {
  using Kind = job::Checkpointing::Kind;
  const Candidate& candidate = request.candidates.front();
  const auto half = candidate.target.gpu.bf16_tensor ? job::Precision::amp_bf16 : job::Precision::amp_fp16;
  double best = 0;
  std::string which;
  for (const auto precision : {job::Precision::tf32, half}) {
    for (const auto layout : {base::Layout::nchw, base::Layout::nhwc}) {
      for (const auto kind : {Kind::none, Kind::block}) {
        for (const auto sharding : {job::Sharding::ddp, job::Sharding::zero1, job::Sharding::fsdp2}) {
          job::Job job = request.job;
          job.precision = precision;
          job.layout = layout;
          job.checkpointing = {kind, 0};
          job.parallel.gpus = candidate.gpus;
          job.parallel.sharding = sharding;
          const bool plain = sharding == job::Sharding::ddp;
          const bool unasked = job.mode == job::Mode::infer && (kind != Kind::none || !plain);
          if (unasked || (candidate.gpus == 1 && !plain) || job::validate(job)) {
            continue;
          }
          const double rate = best_of_all(request, job, candidate.target);
          which = rate > best ? support::description(job) : which;
          best = std::max(best, rate);
        }
      }
    }
  }
  INFO(candidate.target.gpu.name << ": best " << which << "\nchosen "
                                 << support::description(plan.recommendation->estimate.job));
  CHECK(plan.recommendation->figures.useful_images_per_second * kBand * (1 + beside) >= best);
}

TEST_CASE("no settings and no batch are faster than the recommended ones, by trying all of them") {
  for (const char* gpu : {"t4", "a100-sxm4-80gb", "rtx-3090"}) {
    for (const std::int64_t side : {512, 1024, 3000}) {
      for (const std::int64_t gpus : {1, 4}) {
        const PlanRequest request = support::request_for(support::vgg16_on({3, side, side}), gpu, gpus);
        const auto answer = plan(request, engine());
        REQUIRE(answer.has_value());
        REQUIRE(answer->recommendation);
        is_fastest(request, *answer, 0.0001);
      }
    }
  }
}

TEST_CASE("nor are they where few batches fit, in random questions") {
  int compared = 0;
  for (int i = 0; compared < std::max(3, plans() / 10); ++i) {
    std::mt19937 random = seeded(11'000, i);
    PlanRequest request = random_request(random);
    request.candidates = {request.candidates.front()};
    Candidate& candidate = request.candidates.front();
    candidate.gpus = any_of<std::int64_t>(random, {1, 2, 4, 8});
    candidate.exactly = true;
    request.objective = Objective::fastest;
    request.batch.reset();
    request.global_batch.reset();
    request.precision.reset();
    request.sharding.reset();
    request.solve_resolution = false;
    request.job.data.images.reset();
    job::Job probe = request.job;
    probe.batch = 100;
    if (engine().memory_floor(probe, candidate.target) < candidate.target.usable) {
      continue;  // too many batches to try
    }
    const auto answer = plan(request, engine());
    if (answer && answer->recommendation) {
      INFO("plan " << i);
      is_fastest(request, *answer, 0.0015);
      ++compared;
    }
  }
}

}  // namespace
}  // namespace vggplan::planner
