// SPDX-License-Identifier: MIT
#include <algorithm>
#include <iterator>

#include "explain.hpp"
#include "limits.hpp"
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

}  // namespace

std::vector<MaxBatch> max_batches(const PlanRequest& request, const Search& found, const Group& lead,
                                  std::int64_t accumulation, const estimate::Engine& engine) {
  const std::vector<const Group*> groups = groups_of_interest(request, found, lead);
  std::vector<MaxBatch> cells(groups.size());
  base::parallel_for(groups.size(), request.threads, [&](std::size_t i) {
    const Group& group = *groups[i];
    const Candidate& candidate = request.candidates[group.candidate];
    const std::int64_t most_tried = group.candidate == lead.candidate ? kMostTried : kFewTried;
    const Limits limits = solve_limits(request, group, accumulation, engine, most_tried);
    cells[i] = {candidate.target.gpu.name,
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
  });
  return cells;
}

}  // namespace vggplan::planner
