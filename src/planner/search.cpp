// SPDX-License-Identifier: MIT
#include "search.hpp"

#include <atomic>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

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
  parallel_for(plain.size(), request.threads, [&](std::size_t i) {
    results[plain[i]] = explore(request, groups[plain[i]], nullptr, allow_flushes, engine);
  });
  parallel_for(sharded.size(), request.threads, [&](std::size_t i) {
    const Explored& twin = results[unsharded_twin(groups, sharded[i])];
    results[sharded[i]] = explore(request, groups[sharded[i]], &twin, allow_flushes, engine);
  });
  return results;
}

}  // namespace

void parallel_for(std::size_t count, unsigned threads, const std::function<void(std::size_t)>& work) {
  if (threads == 0) {
    threads = std::max(1U, std::thread::hardware_concurrency());
  }
  threads = static_cast<unsigned>(std::min<std::size_t>(threads, count));
  std::atomic<std::size_t> next{0};
  std::exception_ptr failure;
  std::mutex failure_guard;
  const auto drain = [&] {
    try {
      for (std::size_t i = next++; i < count; i = next++) {
        work(i);
      }
    } catch (...) {
      const std::scoped_lock lock(failure_guard);
      failure = std::current_exception();
    }
  };
  std::vector<std::jthread> helpers;
  for (unsigned i = 1; i < threads; ++i) {
    helpers.emplace_back(drain);
  }
  drain();
  helpers.clear();
  if (failure) {
    std::rethrow_exception(failure);
  }
}

Search search(const PlanRequest& request, const estimate::Engine& engine, bool allow_flushes) {
  Search found;
  found.groups = explore_all(request, engine, allow_flushes);
  for (std::size_t i = 0; i < found.groups.size(); ++i) {
    const Explored& explored = found.groups[i];
    found.enumerated += explored.enumerated;
    found.rejected.merge(explored.rejected);
    for (const Evaluated& figures : explored.evaluated) {
      const Contender contender{figures, i, explored.group.candidate};
      if (const auto missed = constraints_missed(request, figures); !missed.empty()) {
        found.rejected.add(missed.front().refusal, 1, missed.front().by, describe(figures.job, figures.gpu));
        found.missed.push_back(contender);
      } else {
        found.contenders.push_back(contender);
      }
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
