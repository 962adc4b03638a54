// SPDX-License-Identifier: MIT
#include "vggplan/planner/plan.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "explain.hpp"
#include "fit.hpp"
#include "limits.hpp"
#include "resolution.hpp"
#include "story.hpp"
#include "vggplan/base/format.hpp"

namespace vggplan::planner {
namespace {

using base::wrong;

base::Status check(const PlanRequest& request) {
  constexpr std::int64_t kMostImages = 1LL << 31;
  if (request.candidates.empty()) {
    return wrong("--gpus", "a plan needs at least one GPU to choose from",
                 "name one, for example --gpus a100x4, or --gpus any");
  }
  for (const Candidate& candidate : request.candidates) {
    if (candidate.gpus < 1 || candidate.gpus > hardware::kMostGpus) {
      return wrong("--gpus",
                   fmt::format("the number of GPUs is from 1 to {}, not {}", hardware::kMostGpus, candidate.gpus));
    }
  }
  for (const auto& [flag, value] :
       {std::pair("--batch", request.batch), std::pair("--accumulation", request.accumulation),
        std::pair("--global-batch", request.global_batch)}) {
    if (value && (*value < 1 || *value > kMostImages)) {
      return wrong(flag, fmt::format("from 1 to {}, not {}", kMostImages, *value));
    }
  }
  if (!(request.reserve.percent >= 0 && request.reserve.percent < 100) || request.reserve.bytes < base::Bytes(0)) {
    return wrong("--reserve", "a share from 0 % to below 100 %, or a size",
                 "for example --reserve 10% or --reserve 4GiB");
  }
  if ((request.deadline || request.max_cost) && !request.job.data.images) {
    return wrong(request.deadline ? "--deadline" : "--max-cost", "how long a run takes depends on the number of images",
                 "give --images, and --epochs");
  }
  return std::nullopt;
}

/// Why none of the group's batches makes sense, if so.
base::Status error_of(const PlanRequest& request, const Group& group) {
  const std::vector<BatchChoice> choices =
      fixed_batches(request, group.gpus).value_or(std::vector{BatchChoice{1, request.accumulation.value_or(1)}});
  if (choices.empty()) {
    const std::int64_t unit = group.gpus * request.batch.value_or(1) * request.accumulation.value_or(1);
    return wrong("--global-batch",
                 fmt::format("{} images do not divide into whole micro-batches on {} GPU{}", *request.global_batch,
                             group.gpus, group.gpus == 1 ? "" : "s"),
                 request.batch && request.accumulation
                     ? fmt::format("it is {} with --batch {} and --accumulation {}; leave one of them out", unit,
                                   *request.batch, *request.accumulation)
                     : fmt::format("give a multiple of {}", unit));
  }
  base::Status error;
  for (const BatchChoice choice : choices) {
    const job::Job job = job_of(request, group, choice);
    error = job::validate(job);
    if (!error) {
      return estimate::check_precision(job, request.candidates[group.candidate].target.gpu);
    }
  }
  if (!request.global_batch) {
    return error;
  }
  auto of_settings = job::validate(job_of(request, group, {}));
  return of_settings ? std::move(of_settings)
                     : wrong("--global-batch",
                             fmt::format("{} images are too many for one step ({}: {})", *request.global_batch,
                                         error->place, error->rule),
                             "give a smaller one");
}

/// An error where what is fixed makes sense for no candidate: that of the most GPUs of the last one, and of the
/// first of its settings, in which the plan's own choices are PyTorch's defaults.
base::Status common_error(const PlanRequest& request) {
  const std::vector<Group> groups = enumerate_groups(request);
  if (std::ranges::any_of(groups, [&](const Group& group) { return !error_of(request, group); })) {
    return std::nullopt;
  }
  return error_of(request, *std::ranges::find_if(groups, [last = groups.back()](const Group& group) {
                    return group.candidate == last.candidate && group.gpus == last.gpus;
                  }));
}

void add_figures(Plan& plan, const PlanRequest& request, const Search& found, std::size_t chosen) {
  for (const std::size_t i : runners_up(request, found.contenders, chosen)) {
    if (plan.alternatives.size() == request.top) {
      break;
    }
    plan.alternatives.push_back(found.contenders[i].figures);
  }
  for (const std::size_t i : pareto_front(found.contenders, chosen)) {
    plan.pareto.push_back(found.contenders[i].figures);
  }
}

/// `target`: what the plan's job runs on.
void add_warnings(Plan& plan, const PlanRequest& request, const Search& found, const estimate::Target& target,
                  const estimate::Engine& engine) {
  const auto unpriced =
      std::ranges::count_if(found.contenders, [](const Contender& c) { return !c.figures.usd_per_hour.has_value(); });
  if (unpriced > 0 && request.objective == Objective::cheapest) {
    const bool all = static_cast<std::size_t>(unpriced) == found.contenders.size();
    plan.warnings.push_back({"price-unknown",
                             all ? "no price is known; GPU-hours are compared instead"
                                 : "some of the GPUs have no price; they come after the priced ones, by GPU-hours",
                             "give prices with --price NAME=USD_PER_HOUR"});
  }
  const std::int64_t global = job::global_batch(plan.job);
  const std::int64_t images = request.job.data.images.value_or(global);
  if (plan.recommendation && global > images) {
    plan.warnings.push_back({"batch-above-data-set",
                             fmt::format("one optimizer step takes {} images, and the data set has {}",
                                         base::format_count(global), base::format_count(images)),
                             "fewer GPUs or a smaller batch waste nothing"});
  }
  if (request.reserve.percent > 0 || request.reserve.bytes > base::Bytes(0)) {
    const base::Bytes usable = engine.usable(plan.job, target);
    plan.assumptions.push_back({"reserve",
                                fmt::format("{} of each {}'s memory is kept free",
                                            base::format_bytes(reserve_of(request, usable)), target.gpu.name),
                                "--reserve"});
  }
}

/// Where nothing can be recommended: the candidate that comes closest speaks for the others.
void explain_failure(Plan& plan, const PlanRequest& request, const Search& found, const estimate::Engine& engine) {
  plan.failure = failure_of(request, found);
  if (!found.missed.empty()) {
    plan.remedies = constraint_remedies(request, found, engine);
    return;
  }
  const Explored* nearest = nearest_miss(found);
  if (nearest == nullptr) {
    return;
  }
  plan.job = *nearest->nearest_job;
  plan.max_batch = max_batches(request, found, nearest->group, nearest->nearest_job->accumulation, engine);
  plan.remedies = memory_remedies(request, *nearest->nearest_job, request.candidates[nearest->group.candidate], engine);
}

/// With fragmentation "fits" is not true up to a batch and false beyond: who goes up to the limit should know. The
/// estimate tells of the neighbours of the batch that is recommended.
void warn_of_flicker(Plan& plan) {
  const MaxBatch& lead = plan.max_batch.front();
  const bool told = std::ranges::find(plan.warnings, "fit-flickers", &estimate::Warning::code) != plan.warnings.end();
  if (!told && lead.possible > lead.hard) {
    plan.warnings.push_back(
        {"fit-flickers",
         fmt::format("batches up to {} run; of the larger ones up to {} some run and some do not, by "
                     "how the allocator's blocks happen to lie",
                     lead.hard, lead.possible),
         "stay below, or ask about the batch itself"});
  }
}

base::Status recommend(Plan& plan, const PlanRequest& request, const Search& found, std::size_t chosen,
                       const estimate::Engine& engine) {
  const Contender& best = found.contenders[chosen];
  const Candidate& candidate = request.candidates[best.candidate];
  auto estimate = TRY(engine.full(best.figures.job, candidate.target));
  Recommendation recommendation;
  recommendation.estimate = std::move(estimate);
  const Group& lead = found.groups[best.group].group;
  plan.max_batch = max_batches(request, found, lead, best.figures.job.accumulation, engine);
  const bool open = !request.batch && !request.global_batch;
  const auto largest = open ? std::optional(plan.max_batch.front().steady) : std::nullopt;
  recommendation.why = Story(request, best, recommendation.estimate, largest, engine).tell();
  recommendation.reserve = reserve_of(request, recommendation.estimate.memory.usable);
  recommendation.figures = best.figures;
  plan.job = best.figures.job;
  plan.warnings = recommendation.estimate.warnings;
  plan.assumptions = recommendation.estimate.assumptions;
  warn_of_flicker(plan);
  plan.recommendation = std::move(recommendation);
  add_figures(plan, request, found, chosen);
  if (request.solve_resolution) {
    job::Job one = best.figures.job;
    one.batch = request.batch.value_or(1);
    plan.max_resolution = largest_resolution(one, candidate.target, Fit(request, engine));
  }
  return std::nullopt;
}

/// Where the plan's job runs; without a recommendation the first GPU that can compute in its precision.
const estimate::Target& target_of(const Plan& plan, const PlanRequest& request) {
  const auto able = std::ranges::find_if(request.candidates, [&](const Candidate& candidate) {
    return plan.recommendation ? candidate.target.gpu.name == plan.recommendation->figures.gpu
                               : !estimate::check_precision(plan.job, candidate.target.gpu);
  });
  return (able == request.candidates.end() ? request.candidates.front() : *able).target;
}

/// Counts and storage that hold for every candidate: from the estimate of one image.
base::Status describe_job(Plan& plan, const estimate::Target& target, const estimate::Engine& engine) {
  job::Job one = plan.job;
  one.batch = 1;
  one.accumulation = 1;
  one.parallel = plan.recommendation ? one.parallel : job::Parallel{};
  const auto summary = TRY(engine.full(one, target));
  plan.model = summary.model;
  plan.storage = plan.recommendation ? plan.recommendation->estimate.storage : summary.storage;
  return std::nullopt;
}

}  // namespace

base::Status error_of(const PlanRequest& request) {
  base::Status error = check(request);
  return error ? error : common_error(request);
}

base::Result<Plan> plan(const PlanRequest& request, const estimate::Engine& engine) {
  TRY(error_of(request));
  const Search found = search(request, engine);
  Plan result;
  result.job = request.job;
  result.enumerated = found.enumerated;
  result.evaluated = static_cast<std::int64_t>(found.contenders.size());
  result.rejected_count = found.rejected.total();
  result.rejected = found.rejected.list();
  const auto chosen = winner(request, found.contenders);
  if (!chosen) {
    explain_failure(result, request, found, engine);
  } else if (auto error = recommend(result, request, found, *chosen, engine)) {
    return *error;
  }
  const estimate::Target& target = target_of(result, request);
  TRY(describe_job(result, target, engine));
  add_warnings(result, request, found, target, engine);
  return result;
}

}  // namespace vggplan::planner
