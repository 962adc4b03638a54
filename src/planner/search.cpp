// SPDX-License-Identifier: MIT
#include "search.hpp"

#include "vggplan/base/parallel.hpp"

namespace vggplan::planner {
namespace {

/// Groups that shard because the plan tries it, not because the request says so.
bool shards_by_choice(const PlanRequest& request, const Group& group) {
  return !request.sharding && group.settings.sharding != job::Sharding::ddp;
}

bool same_but_sharding(const Group& a, const Group& b) {
  Settings settings = a.settings;
  settings.sharding = b.settings.sharding;
  return a.candidate == b.candidate && a.gpus == b.gpus && settings == b.settings;
}

std::vector<Explored> explore_all(const PlanRequest& request, const estimate::Engine& engine, bool allow_flushes) {
  const std::vector<Group> groups = enumerate_groups(request);
  // DDP comes first among the shardings of its settings, and tells whether the others are worth a look.
  std::vector<std::size_t> firsts;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (i == 0 || !same_but_sharding(groups[i], groups[i - 1])) {
      firsts.push_back(i);
    }
  }
  std::vector<Explored> results(groups.size());
  base::parallel_for(firsts.size(), request.threads, [&](std::size_t family) {
    const std::size_t first = firsts[family];
    for (std::size_t i = first; i < groups.size() && same_but_sharding(groups[i], groups[first]); ++i) {
      const Explored* unsharded = shards_by_choice(request, groups[i]) ? &results[first] : nullptr;
      results[i] = explore(request, groups[i], unsharded, allow_flushes, engine);
    }
  });
  return results;
}

/// The groups that may win, or come to keep a limit, by a batch between two rungs: rungs are a quarter apart at
/// most, and rates rise by less.
std::vector<std::size_t> worth_refining(const PlanRequest& request, const std::vector<Explored>& groups) {
  constexpr double kWithin = 1.1;
  PlanRequest lenient = request;
  lenient.deadline = request.deadline ? std::optional(*request.deadline * kWithin) : std::nullopt;
  lenient.max_cost = request.max_cost ? std::optional(*request.max_cost * kWithin) : std::nullopt;
  std::optional<Score> leader;
  std::vector<std::optional<Score>> best(groups.size());
  for (std::size_t i = 0; i < groups.size(); ++i) {
    for (const Evaluated& figures : groups[i].evaluated) {
      const Score now = score(request, figures);
      if (constraints_missed(lenient, figures).empty()) {
        best[i] = best[i] ? std::min(*best[i], now) : now;
      }
      if (constraints_missed(request, figures).empty()) {
        leader = leader ? std::min(*leader, now) : now;
      }
    }
  }
  std::vector<std::size_t> those;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const auto& own = best[i];
    if (own && (!leader || own->rank < leader->rank ||
                (own->rank == leader->rank && own->figure <= kWithin * leader->figure))) {
      those.push_back(i);
    }
  }
  return those;
}

}  // namespace

Search search(const PlanRequest& request, const estimate::Engine& engine, bool allow_flushes) {
  Search found;
  found.groups = explore_all(request, engine, allow_flushes);
  if (!request.batch && !request.global_batch) {
    const auto those = worth_refining(request, found.groups);
    base::parallel_for(those.size(), request.threads,
                       [&](std::size_t i) { refine(request, found.groups[those[i]], allow_flushes, engine); });
  }
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
