// SPDX-License-Identifier: MIT
#include "vggplan/planner/plan.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "reasons.hpp"
#include "remedies.hpp"
#include "resolution.hpp"
#include "search.hpp"
#include "vggplan/base/format.hpp"

namespace vggplan::planner {
namespace {

using base::Diagnostic;
using base::wrong;

base::Status check(const PlanRequest& request) {
  constexpr std::int64_t kMostGpus = 65'536;
  constexpr std::int64_t kMostImages = 1LL << 31;
  if (request.candidates.empty()) {
    return wrong("--gpus", "a plan needs at least one GPU to choose from",
                 "name one, for example --gpus a100x4, or --gpus any");
  }
  for (const Candidate& candidate : request.candidates) {
    if (candidate.gpus < 1 || candidate.gpus > kMostGpus) {
      return wrong("--gpus", fmt::format("the number of GPUs is from 1 to {}, not {}", kMostGpus, candidate.gpus));
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

/// The error that every candidate runs into, where the job itself makes no sense.
base::Status common_error(const PlanRequest& request) {
  base::Status first;
  for (const Group& group : enumerate_groups(request)) {
    job::Job job = job_of(request, group, {});
    job.accumulation = request.accumulation.value_or(job.accumulation);
    auto error = job::validate(job);
    if (!error) {
      return std::nullopt;
    }
    if (!first) {
      first = std::move(error);
    }
  }
  return first;
}

/// Limits of the leading group first, then its GPU's other settings at the same count, then the other GPUs
/// at their largest count with the leading group's settings where they have them.
std::vector<const Group*> groups_of_interest(const PlanRequest& request, const Search& found, const Group& lead) {
  std::vector<const Group*> groups{&lead};
  std::vector<const Group*> others(request.candidates.size(), nullptr);
  for (const Explored& explored : found.groups) {
    const Group& group = explored.group;
    if (refuse(request, group)) {
      continue;
    }
    const bool comparable =
        group.settings.sharding == lead.settings.sharding || group.settings.sharding == job::Sharding::ddp;
    if (group.candidate == lead.candidate) {
      if (group.gpus == lead.gpus && comparable && group.settings != lead.settings) {
        groups.push_back(&group);
      }
    } else if (group.settings == lead.settings || others[group.candidate] == nullptr ||
               others[group.candidate]->settings != lead.settings) {
      others[group.candidate] = &group;
    }
  }
  std::ranges::copy_if(others, std::back_inserter(groups), [](const Group* group) { return group != nullptr; });
  return groups;
}

std::vector<MaxBatch> max_batches(const PlanRequest& request, const Search& found, const Group& lead,
                                  std::int64_t accumulation, const estimate::Engine& engine) {
  const std::vector<const Group*> groups = groups_of_interest(request, found, lead);
  std::vector<MaxBatch> cells(groups.size());
  parallel_for(groups.size(), request.threads, [&](std::size_t i) {
    const Group& group = *groups[i];
    const Candidate& candidate = request.candidates[group.candidate];
    const Limits limits = solve_limits(request, group, accumulation, engine);
    cells[i] = {candidate.target.gpu.name,
                group.settings.precision,
                group.settings.layout,
                group.settings.checkpointing,
                group.settings.sharding,
                group.gpus,
                limited_target(request, candidate).usable,
                limits.steady,
                limits.hard};
  });
  return cells;
}

void add_figures(Plan& plan, const PlanRequest& request, const Search& found, std::size_t chosen) {
  for (const std::size_t i : runners_up(request, found.contenders, chosen)) {
    if (plan.alternatives.size() == request.top) {
      break;
    }
    plan.alternatives.push_back(found.contenders[i].figures);
  }
  for (const std::size_t i : pareto_front(found.contenders)) {
    plan.pareto.push_back(found.contenders[i].figures);
  }
}

void add_warnings(Plan& plan, const PlanRequest& request, const Search& found) {
  const bool unpriced =
      std::ranges::any_of(found.contenders, [](const Contender& c) { return !c.figures.usd_per_hour; });
  if (unpriced && (request.objective == Objective::cheapest || request.max_cost)) {
    plan.warnings.push_back({"price-unknown",
                             "some of the GPUs have no price; they are compared by GPU-hours, after the priced ones",
                             "give prices with --price NAME=USD_PER_HOUR"});
  }
  if (request.reserve.percent > 0 || request.reserve.bytes > base::Bytes(0)) {
    const Candidate& first = request.candidates.front();
    plan.assumptions.push_back({"reserve",
                                base::format_bytes(first.target.usable - limited_target(request, first).usable) +
                                    " of each GPU's memory is kept free",
                                "--reserve"});
  }
}

/// Where nothing can be recommended: the candidate that comes closest speaks for the others.
void explain_failure(Plan& plan, const PlanRequest& request, const Search& found, const estimate::Engine& engine) {
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

base::Status recommend(Plan& plan, const PlanRequest& request, const Search& found, std::size_t chosen,
                       const estimate::Engine& engine) {
  const Contender& best = found.contenders[chosen];
  const Candidate& candidate = request.candidates[best.candidate];
  auto estimate = engine.full(best.figures.job, candidate.target);
  if (!estimate) {
    return estimate.error();
  }
  Recommendation recommendation;
  recommendation.estimate = std::move(*estimate);
  const Group& lead = found.groups[best.group].group;
  std::optional<Limits> limits;
  if (!request.batch && !request.global_batch) {
    limits = solve_limits(request, lead, best.figures.job.accumulation, engine);
  }
  recommendation.why = reasons(request, best, recommendation.estimate, limits, engine);
  recommendation.launch = launch_settings(recommendation.estimate);
  plan.job = best.figures.job;
  plan.warnings = recommendation.estimate.warnings;
  plan.assumptions = recommendation.estimate.assumptions;
  plan.recommendation = std::move(recommendation);
  plan.max_batch = max_batches(request, found, lead, best.figures.job.accumulation, engine);
  add_figures(plan, request, found, chosen);
  if (request.solve_resolution) {
    job::Job one = best.figures.job;
    one.batch = request.batch.value_or(1);
    const bool flushing = best.figures.verdict != estimate::Verdict::fits;
    plan.max_resolution = largest_resolution(one, limited_target(request, candidate), flushing, engine);
  }
  return std::nullopt;
}

/// Counts and storage that hold for every candidate: from the estimate of one image.
base::Status describe_job(Plan& plan, const PlanRequest& request, const estimate::Engine& engine) {
  // What was chosen runs where it was chosen; another candidate may lack its precision.
  job::Job one = plan.recommendation ? plan.job : request.job;
  one.batch = 1;
  one.accumulation = 1;
  const auto summary =
      engine.full(one, plan.recommendation ? plan.recommendation->estimate.target : request.candidates.front().target);
  if (!summary) {
    return summary.error();
  }
  plan.model = summary->model;
  plan.storage = plan.recommendation ? plan.recommendation->estimate.storage : summary->storage;
  return std::nullopt;
}

}  // namespace

base::Result<Plan> plan(const PlanRequest& request, const estimate::Engine& engine) {
  if (auto error = check(request)) {
    return *error;
  }
  if (auto error = common_error(request)) {
    return *error;
  }
  Search found = search(request, engine, false);
  if (found.contenders.empty()) {
    Search flushing = search(request, engine, true);
    if (!flushing.contenders.empty() || found.missed.empty()) {
      found = std::move(flushing);
    }
  }
  Plan result;
  result.job = request.job;
  result.enumerated = found.enumerated;
  result.evaluated = found.evaluated;
  result.rejected_count = found.rejected.total();
  result.rejected = found.rejected.list();
  const auto chosen = winner(request, found.contenders);
  if (!chosen) {
    explain_failure(result, request, found, engine);
  } else if (auto error = recommend(result, request, found, *chosen, engine)) {
    return *error;
  }
  if (auto error = describe_job(result, request, engine)) {
    return *error;
  }
  add_warnings(result, request, found);
  return result;
}

}  // namespace vggplan::planner
