// SPDX-License-Identifier: MIT
// The walk: what fits in a group of candidates, and how fast that is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "space.hpp"
#include "tally.hpp"
#include "vggplan/planner/plan.hpp"

namespace vggplan::planner {

/// Within this factor of the best, candidates count as equally good, and what is simpler wins.
inline constexpr double kBand = 1.01;

struct Limits {
  std::int64_t steady{};
  std::int64_t hard{};
  bool limited_by_search{false};
};

/// What became of the candidates of one group.
struct Explored {
  Group group{};
  std::int64_t enumerated{};
  std::vector<Evaluated> evaluated{};
  Tally rejected{};
  std::optional<base::Bytes> nearest_miss{};  ///< bytes short of the smallest candidate, where none fits
  std::optional<job::Job> nearest_job{};
};

/// Largest batches at the group's settings, by simulation.
Limits solve_limits(const PlanRequest& request, const Group& group, std::int64_t accumulation,
                    const estimate::Engine& engine);

/// `unsharded` is what became of the same settings under DDP, for groups that shard by the plan's own choice.
Explored explore(const PlanRequest& request, const Group& group, const Explored* unsharded, bool allow_flushes,
                 const estimate::Engine& engine);

/// Rungs are some percent apart: adds the last batch beyond the fastest rung up to which rates go on rising, where
/// memory ends or another algorithm begins. For groups whose batch is open.
void refine(const PlanRequest& request, Explored& explored, bool allow_flushes, const estimate::Engine& engine);

/// Images of the data set per image computed: the last batch of an epoch may be short and counts whole.
double useful_share(const job::Job& job);

/// The figures of a job that fits; nothing where it has no time.
Evaluated evaluate(const job::Job& job, const estimate::Target& target, const estimate::MemoryAnswer& memory,
                   const estimate::TimeAnswer& time);
std::optional<Evaluated> evaluate(const job::Job& job, const estimate::Target& target,
                                  const estimate::MemoryAnswer& memory, const estimate::Engine& engine);

}  // namespace vggplan::planner
