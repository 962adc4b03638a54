// SPDX-License-Identifier: MIT
#include "search.hpp"

#include "vggplan/base/parallel.hpp"

namespace vggplan::planner {
namespace {

/// Groups that shard because the plan tries it, not because the request says so.
bool shards_by_choice(const PlanRequest& request, const Group& group) {
  return !request.sharding && group.settings.sharding != job::Sharding::ddp;
}

/// The same group under DDP.
std::size_t unsharded_twin(const std::vector<Group>& groups, std::size_t index) {
  Settings settings = groups[index].settings;
  settings.sharding = job::Sharding::ddp;
  while (groups[index].settings != settings) {
    --index;  // DDP comes first among the shardings of its settings
  }
  return index;
}

std::vector<Explored> explore_all(const PlanRequest& request, const estimate::Engine& engine, bool allow_flushes) {
  const std::vector<Group> groups = enumerate_groups(request);
  std::vector<std::size_t> plain;
  std::vector<std::size_t> sharded;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    (shards_by_choice(request, groups[i]) ? sharded : plain).push_back(i);
  }
  std::vector<Explored> results(groups.size());
  base::parallel_for(plain.size(), request.threads, [&](std::size_t i) {
    results[plain[i]] = explore(request, groups[plain[i]], nullptr, allow_flushes, engine);
  });
  base::parallel_for(sharded.size(), request.threads, [&](std::size_t i) {
    const Explored& twin = results[unsharded_twin(groups, sharded[i])];
    results[sharded[i]] = explore(request, groups[sharded[i]], &twin, allow_flushes, engine);
  });
  return results;
}

}  // namespace

Search search(const PlanRequest& request, const estimate::Engine& engine, bool allow_flushes) {
  Search found;
  found.groups = explore_all(request, engine, allow_flushes);
  for (std::size_t i = 0; i < found.groups.size(); ++i) {
    Explored& explored = found.groups[i];
    found.enumerated += explored.enumerated;
    found.rejected.merge(explored.rejected);
    for (Evaluated& figures : explored.evaluated) {
      const auto missed = constraints_missed(request, figures);
      if (!missed.empty()) {
        found.rejected.add(missed.front().refusal, 1, missed.front().by, describe(figures.job, figures.gpu));
      }
      auto& those = missed.empty() ? found.contenders : found.missed;
      those.push_back({std::move(figures), i, explored.group.candidate});
    }
  }
  found.evaluated = static_cast<std::int64_t>(found.contenders.size());
  return found;
}

const Explored* nearest_miss(const Search& search) {
  const Explored* nearest = nullptr;
  for (const Explored& explored : search.groups) {
    if (explored.evaluated.empty() && explored.nearest_miss &&
        (nearest == nullptr || *explored.nearest_miss < *nearest->nearest_miss)) {
      nearest = &explored;
    }
  }
  return nearest;
}

}  // namespace vggplan::planner
