// SPDX-License-Identifier: MIT
#include "vggplan/planner/capacity.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "explain.hpp"
#include "fit.hpp"
#include "limits.hpp"
#include "resolution.hpp"
#include "vggplan/base/parallel.hpp"

namespace vggplan::planner {
namespace {

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

MaxBatch largest_batch(const PlanRequest& request, const Group& group, std::int64_t accumulation,
                       const estimate::Engine& engine, std::int64_t most_tried) {
  const Candidate& candidate = request.candidates[group.candidate];
  const Limits limits = solve_limits(request, group, accumulation, engine, most_tried);
  return {candidate.target.gpu.name,
          group.settings.precision,
          group.settings.layout,
          group.settings.checkpointing,
          group.settings.sharding,
          group.gpus,
          engine.usable(job_of(request, group, {}), candidate.target),
          limits.steady,
          limits.hard,
          limits.possible,
          limits.limited_by_search};
}

/// What the group's settings hold, and how fast they are with the batch asked for or with their largest.
Holding holding_of(const PlanRequest& request, const Group& group, const estimate::Engine& engine) {
  const estimate::Target& target = request.candidates[group.candidate].target;
  const Fit fit(request, engine);
  const std::int64_t accumulation = request.accumulation.value_or(1);
  Holding held;
  held.batch = largest_batch(request, group, accumulation, engine, kMostTried);
  const auto surely = [&](std::int64_t batch) {
    const job::Job job = job_of(request, group, {batch, accumulation});
    return fit.fits(job, target) && fit.high_excess(job, target) <= base::Bytes(0);
  };
  held.certain = largest_below(held.batch.steady, surely, kFewTried);
  held.image = largest_resolution(job_of(request, group, {request.batch.value_or(1), accumulation}), target, fit);
  const std::int64_t largest = std::max<std::int64_t>(held.certain > 0 ? held.certain : held.batch.steady, 1);
  held.job = job_of(request, group, {request.batch.value_or(largest), accumulation});
  if (fit.fits(held.job, target)) {
    const auto time = timed(held.job, target, engine);
    held.images_per_second = time ? time->images_per_second : 0;
  }
  return held;
}

/// The settings that make sense on the card; the first of all, if none does.
std::vector<Group> groups_that_run(const PlanRequest& request) {
  const std::vector<Group> all = enumerate_groups(request);
  std::vector<Group> groups;
  std::ranges::copy_if(all, std::back_inserter(groups), [&](const Group& group) { return !refuse(request, group); });
  return groups.empty() ? std::vector<Group>{all.front()} : groups;
}

}  // namespace

std::vector<MaxBatch> max_batches(const PlanRequest& request, const Search& found, const Group& lead,
                                  std::int64_t accumulation, const estimate::Engine& engine) {
  const std::vector<const Group*> groups = groups_of_interest(request, found, lead);
  std::vector<MaxBatch> cells(groups.size());
  base::parallel_for(groups.size(), request.threads, [&](std::size_t i) {
    const Group& group = *groups[i];
    const std::int64_t most_tried = group.candidate == lead.candidate ? kMostTried : kFewTried;
    cells[i] = largest_batch(request, group, accumulation, engine, most_tried);
  });
  return cells;
}

base::Result<Capacity> capacity(const PlanRequest& request, const estimate::Engine& engine) {
  TRY(error_of(request));
  const std::vector<Group> groups = groups_that_run(request);
  Capacity answer;
  answer.holdings.resize(groups.size());
  base::parallel_for(groups.size(), request.threads,
                     [&](std::size_t i) { answer.holdings[i] = holding_of(request, groups[i], engine); });
  std::ranges::stable_sort(answer.holdings, std::ranges::greater{}, [](const Holding& held) {
    return std::pair(held.images_per_second, held.image.height * held.image.width);
  });
  const double fastest = answer.holdings.front().images_per_second;
  for (Holding& held : answer.holdings) {
    held.slowdown = held.images_per_second > 0 ? std::optional(fastest / held.images_per_second) : std::nullopt;
  }
  const Candidate& candidate = request.candidates.front();
  auto estimate = TRY(engine.full(answer.holdings.front().job, candidate.target));
  answer.estimate = std::move(estimate);
  if (!answer.fits()) {
    answer.remedies = memory_remedies(request, answer.holdings.front().job, candidate, engine);
  }
  return answer;
}

}  // namespace vggplan::planner
